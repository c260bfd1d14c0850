"""A camera as the API gives and takes it. The password goes in and never comes out; who can't manage cameras sees
neither addresses nor user name, for an address may hold a secret too."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from recorder.api.addresses import read_camera_url
from recorder.errors import CameraError
from vms.accounts.rights import Action
from vms.cameras.choices import RecordingMode, StreamKind, StreamState, Transport
from vms.cameras.models import Camera
from vms.cameras.states import CameraWithState, describe_state, stream_of
from vms.servers.models import Server


class StreamSerializer(serializers.Serializer):
    """One stream as the recorder reports it; zeros and nulls before the first report."""

    state = serializers.ChoiceField(choices=StreamState.choices)
    state_detail = serializers.CharField()
    codec = serializers.CharField(help_text="`h264`, `h265`, `mjpeg`, or empty.")
    audio_codec = serializers.CharField()
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    fps = serializers.FloatField()
    bitrate_bps = serializers.IntegerField()
    last_frame_at = serializers.DateTimeField(allow_null=True)


class CameraStreamsSerializer(serializers.Serializer):
    main = StreamSerializer(allow_null=True)
    sub = StreamSerializer(allow_null=True)


_NO_REPORT = {"state": StreamState.CONNECTING.value, "state_detail": "", "codec": "", "audio_codec": "",
              "width_px": 0, "height_px": 0, "fps": 0.0, "bitrate_bps": 0, "last_frame_at": None}  # fmt: skip


class CameraSerializer(serializers.Serializer):
    """Reads a camera from `with_streams`; writes by name through `vms.cameras.services`."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(max_length=120)
    main_url = serializers.CharField(max_length=2000, help_text="Without user name and password.")
    sub_url = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    username = serializers.CharField(max_length=120, required=False, allow_blank=True)
    password = serializers.CharField(
        max_length=200, required=False, allow_blank=True, allow_null=True, trim_whitespace=False, write_only=True,
        help_text="Left out or null: unchanged. Empty: removed. Removed too when a URL leads to another host or port.",
    )  # fmt: skip
    has_password = serializers.SerializerMethodField()
    server = serializers.PrimaryKeyRelatedField(queryset=Server.objects.filter(is_recorder=True), required=False)
    server_name = serializers.CharField(source="server.name", read_only=True)
    is_enabled = serializers.BooleanField(required=False)
    is_simulated = serializers.BooleanField(read_only=True)
    recording_mode = serializers.ChoiceField(choices=RecordingMode.choices, required=False)
    transport = serializers.ChoiceField(choices=Transport.choices, required=False)
    state = serializers.ChoiceField(choices=StreamState.choices, read_only=True)
    state_detail = serializers.CharField(read_only=True)
    state_since = serializers.DateTimeField(read_only=True, allow_null=True)
    streams = CameraStreamsSerializer(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(serializers.BooleanField())
    def get_has_password(self, camera: Camera) -> bool:
        return bool(camera.password_sealed)

    def validate_main_url(self, url: str) -> str:
        return self._check_url(url, StreamKind.MAIN)

    def validate_sub_url(self, url: str) -> str:
        return self._check_url(url, StreamKind.SUB) if url else ""

    def _check_url(self, url: str, kind: str) -> str:
        old = stream_of(self.instance, kind) if self.instance is not None else None
        if old is None or old.url != url:  # the product's own simulated cameras keep their loopback address
            try:
                read_camera_url(url)
            except CameraError as err:
                raise serializers.ValidationError(str(err), code=err.code.value) from err
        return url

    def to_representation(self, camera: CameraWithState) -> dict[str, object]:
        may_manage = self.context["request"].user.may(Action.MANAGE_CAMERAS)
        main, sub = (stream_of(camera, kind) for kind in (StreamKind.MAIN, StreamKind.SUB))
        return {
            "id": camera.pk,
            "name": camera.name,
            "main_url": main.url if main and may_manage else "",
            "sub_url": sub.url if sub and may_manage else "",
            "username": camera.username if may_manage else "",
            "has_password": bool(camera.password_sealed),
            "server": camera.server_id,
            "server_name": camera.server.name,
            "is_enabled": camera.is_enabled,
            "is_simulated": camera.is_simulated,
            "recording_mode": camera.recording_mode,
            "transport": camera.transport,
            **describe_state(camera),
            "streams": {"main": _describe_stream(main), "sub": _describe_stream(sub)},
            "created_at": camera.created_at,
        }


def _describe_stream(stream) -> dict[str, object] | None:
    if stream is None:
        return None
    status = getattr(stream, "status", None)
    return _NO_REPORT if status is None else {name: getattr(status, name) for name in _NO_REPORT}

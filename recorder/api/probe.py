"""Looking at a camera before it is saved: `POST /api/v1/cameras/probe/`."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.addresses import camera_policy, check_camera_url
from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy, CameraAddress, parse_camera_url
from recorder.probe import Findings, ProbeTarget, probe_stream
from vms.accounts.models import User
from vms.accounts.rights import Action
from vms.api.errors import refuse_field
from vms.audit.services import record_audit
from vms.cameras.access import access_camera
from vms.cameras.choices import StreamKind, Transport
from vms.cameras.models import Camera
from vms.cameras.sealing import open_password

MAX_PROBES = 4
"""At once in this process: each holds a thread for up to 10 s."""
_slots = threading.BoundedSemaphore(MAX_PROBES)


class ProbeRequestSerializer(serializers.Serializer):
    url = serializers.CharField(max_length=2000, help_text="Of the main stream.")
    sub_url = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    username = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", trim_whitespace=False, write_only=True
    )
    transport = serializers.ChoiceField(choices=Transport.choices, required=False, default=Transport.TCP)
    camera = serializers.UUIDField(
        required=False,
        help_text="Of the camera that is being changed. Its kept password is used where none is given, as long as the "
        "addresses lead where the camera's own lead and the user name is the camera's.",
    )


class ProbedVideoSerializer(serializers.Serializer):
    codec = serializers.CharField()
    width_px = serializers.IntegerField()
    height_px = serializers.IntegerField()
    fps = serializers.FloatField(allow_null=True)
    gop_s = serializers.FloatField(allow_null=True, help_text="Seconds from keyframe to keyframe.")
    profile = serializers.CharField()


class ProbedAudioSerializer(serializers.Serializer):
    codec = serializers.CharField()
    sample_rate_hz = serializers.IntegerField()
    channels = serializers.IntegerField()


class ProbedStreamSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=StreamKind.choices)
    video = ProbedVideoSerializer()
    audio = ProbedAudioSerializer(allow_null=True)
    bitrate_bps = serializers.IntegerField(allow_null=True)
    server = serializers.CharField(help_text="What the camera calls its software.")
    warnings = serializers.ListField(child=serializers.CharField())


class ProbeSerializer(serializers.Serializer):
    streams = ProbedStreamSerializer(many=True)


class TooManyProbes(exceptions.Throttled):
    default_code = "too_many_probes"
    extra_detail_singular = extra_detail_plural = ""

    def __init__(self) -> None:
        super().__init__(detail="Other cameras are being looked at just now. Try again in a few seconds.")
        self.wait = 5


class ProbeView(APIView):
    required_actions = {"POST": Action.MANAGE_CAMERAS}

    @extend_schema(request=ProbeRequestSerializer, responses={200: ProbeSerializer})
    def post(self, request) -> Response:
        """Look at a camera for a few seconds: what it sends, or why it can't be used. Nothing is stored."""
        given = ProbeRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        urls = {StreamKind.MAIN: ("url", wanted["url"]), StreamKind.SUB: ("sub_url", wanted["sub_url"])}
        urls = {kind: pair for kind, pair in urls.items() if pair[1]}
        places = [check_camera_url(url, attr=attr) for attr, url in urls.values()]
        password = wanted["password"] or _kept_password(request.user, wanted, places)
        credentials = (wanted["username"], password, wanted["transport"])
        if not _slots.acquire(blocking=False):
            raise TooManyProbes
        try:
            found = asyncio.run(_probe_all([ProbeTarget(url, *credentials) for _, url in urls.values()]))
        finally:
            _slots.release()
        results = dict(zip(urls, found, strict=True))
        errors = {kind: result for kind, result in results.items() if isinstance(result, CameraError)}
        record_audit(
            actor=request.user,
            action="camera.probed",
            outcome="failed" if errors else "done",
            detail={
                "hosts": sorted({f"{place.host}:{place.port}" for place in places}),
                "errors": sorted({error.code.value for error in errors.values()}),
            },
        )
        for kind, error in errors.items():
            attr = "password" if error.code == ErrorCode.UNAUTHORIZED else urls[kind][0]
            raise refuse_field(attr, error.code.value, str(error)) from error
        streams = [_describe(kind, result) for kind, result in results.items() if isinstance(result, Findings)]
        return Response(ProbeSerializer({"streams": streams}).data)


def _kept_password(user: User, wanted: dict[str, Any], places: list[CameraAddress]) -> str:
    """Empty unless it is sent to nobody but whom it is meant for: same scheme, host, port and user name. Raises 404."""
    if "camera" not in wanted:
        return ""
    camera = access_camera(user, wanted["camera"], Action.MANAGE_CAMERAS)
    own = {(place.scheme, place.host, place.port) for place in _addresses_of(camera)}
    if wanted["username"] != camera.username or {(place.scheme, place.host, place.port) for place in places} - own:
        return ""
    return open_password(camera.pk, bytes(camera.password_sealed))


def _addresses_of(camera: Camera) -> list[CameraAddress]:
    return [parse_camera_url(url) for url in camera.streams.exclude(url="").values_list("url", flat=True)]


async def _probe_all(targets: list[ProbeTarget]) -> list[Findings | CameraError]:
    """All at once, on a loop of this thread: the server's own loop never meets a camera's bytes."""
    policy = camera_policy()
    return await asyncio.gather(*(_probe_one(target, policy) for target in targets))


async def _probe_one(target: ProbeTarget, policy: AddressPolicy) -> Findings | CameraError:
    try:
        return await probe_stream(target, policy)
    except CameraError as err:
        return err


def _describe(kind: str, found: Findings) -> dict[str, object]:
    return {
        "kind": kind,
        "video": {
            "codec": found.video.codec,
            "width_px": found.video.width_px,
            "height_px": found.video.height_px,
            "fps": found.fps or found.video.frame_rate,
            "gop_s": found.gop_s,
            "profile": found.profile,
        },
        "audio": found.audio
        and {
            "codec": found.audio.codec,
            "sample_rate_hz": found.audio.sample_rate_hz,
            "channels": found.audio.channels,
        },
        "bitrate_bps": found.bitrate_bps,
        "server": found.server,
        "warnings": found.warnings,
    }

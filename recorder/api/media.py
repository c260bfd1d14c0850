"""Live, playback, clips, playlists and snapshots: each call checks the right and answers with a short-lived signed
address of the media service, which sends the pictures.

What is handed out is audited, once a minute per user, camera and kind, for a player asks again and again.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.core.cache import cache
from django.http import HttpResponseRedirect
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.parameters import AT, FROM, PROXY, STREAM, TO, find_stream, read_stream_kind
from recorder.footage import look_for_footage
from recorder.media_urls import (
    CLIP_VALID,
    LIVE_VALID,
    PLAYBACK_VALID,
    MediaAddress,
    goes_through_proxy,
    make_media_address,
)
from vms.accounts.rights import Action
from vms.api.errors import refuse_field
from vms.api.permissions import on_object
from vms.api.times import Span, iso_ms, read_instant, read_span
from vms.audit.services import record_audit
from vms.cameras.access import access_camera
from vms.cameras.models import Camera

MAX_CLIP = timedelta(hours=24)
_AUDIT_EVERY_S = 60
MAX_WIDTH_PX = 3840
_REDIRECT = OpenApiResponse(description="To a short-lived signed address (`Location`).")


class NearestSerializer(serializers.Serializer):
    before = serializers.DateTimeField(allow_null=True)
    after = serializers.DateTimeField(allow_null=True)


class NoFootageErrorSerializer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()
    attr = serializers.CharField(allow_null=True)


class NoFootageSerializer(serializers.Serializer):
    """404: nothing is recorded in the span. `nearest` isn't there when it is the camera that doesn't exist."""

    def get_fields(self) -> dict[str, serializers.Field]:
        # Not as attributes: `errors` is a property of every serializer.
        return {
            "type": serializers.CharField(),
            "errors": NoFootageErrorSerializer(many=True),
            "nearest": NearestSerializer(required=False),
        }


class LiveSerializer(serializers.Serializer):
    websocket_url = serializers.CharField()
    proxy_websocket_url = serializers.CharField(help_text="The same through the web service.")
    mime = serializers.CharField(help_text="The socket's first message says it exactly.")
    expires_at = serializers.DateTimeField(help_text="Until when the socket can be opened.")


class PlaybackSerializer(serializers.Serializer):
    base_url = serializers.CharField()
    proxy_base_url = serializers.CharField(help_text="The same through the web service.")
    expires_at = serializers.DateTimeField()


class _AnyAccept(BaseContentNegotiation):
    """What comes is a picture or a film, by redirect: an `Accept` that names one must not be refused."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class _CameraMediaView(APIView):
    content_negotiation_class = _AnyAccept

    def _open(self, request, camera_id, needed: Action, *, must_run: bool = False) -> tuple[Camera, str]:
        camera = access_camera(request.user, camera_id, needed)
        kind = read_stream_kind(request)
        find_stream(camera, kind, must_run=must_run)
        return camera, kind

    def _audit(self, request, camera: Camera, action: str, span: Span | None = None) -> None:
        if not cache.add(f"audited-{action}-{request.user.pk}-{camera.pk}", True, _AUDIT_EVERY_S):
            return
        detail = {"from": iso_ms(span.start_ms), "to": iso_ms(span.end_ms)} if span else {}
        record_audit(actor=request.user, action=action, target=camera, detail=detail)

    def _redirect(self, request, address: MediaAddress, tail: str, query: dict[str, object]) -> HttpResponseRedirect:
        base = address.proxy_base if goes_through_proxy(request) else address.base
        return HttpResponseRedirect(f"{base}{tail}?{urlencode(query)}" if query else base + tail)


class LiveView(_CameraMediaView):
    required_actions = {"GET": on_object(Action.VIEW_LIVE)}

    @extend_schema(parameters=[STREAM], responses={200: LiveSerializer})
    def get(self, request, camera_id) -> Response:
        """Where to open the live picture: one text message (JSON), then binary fragmented MP4."""
        camera, kind = self._open(request, camera_id, Action.VIEW_LIVE, must_run=True)
        address = make_media_address(request, camera, use="live", stream=kind, valid=LIVE_VALID)
        self._audit(request, camera, "media.live")
        direct, proxied = address.websocket(request)
        answer = {
            "websocket_url": direct,
            "proxy_websocket_url": proxied,
            "mime": "video/mp4",
            "expires_at": address.expires_at,
        }
        return Response(LiveSerializer(answer).data)


class PlaybackView(_CameraMediaView):
    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK)}

    @extend_schema(parameters=[STREAM], responses={200: PlaybackSerializer})
    def get(self, request, camera_id) -> Response:
        """Where a player fetches recorded spans of one stream."""
        camera, kind = self._open(request, camera_id, Action.VIEW_PLAYBACK)
        address = make_media_address(request, camera, use="playback", stream=kind, valid=PLAYBACK_VALID)
        self._audit(request, camera, "media.playback")
        answer = {
            "base_url": address.base,
            "proxy_base_url": address.proxy_base,
            "expires_at": address.expires_at,
        }
        return Response(PlaybackSerializer(answer).data)


class _SpanView(_CameraMediaView):
    """A file made of one recorded span."""

    needed: Action
    use: str
    tail: str
    audit_action: str

    def _valid_for(self, span: Span) -> timedelta:
        return CLIP_VALID

    def get(self, request, camera_id):
        camera, kind = self._open(request, camera_id, self.needed)
        span = read_span(request, max_duration=MAX_CLIP)
        presence = look_for_footage(camera, kind, span)
        if not presence.has_footage:
            return no_footage(presence.before_ms, presence.after_ms)
        self._audit(request, camera, self.audit_action, span)
        address = make_media_address(request, camera, use=self.use, stream=kind, valid=self._valid_for(span), span=span)
        return self._redirect(request, address, self.tail, {"from": span.start_ms, "to": span.end_ms})


class ClipView(_SpanView):
    required_actions = {"GET": on_object(Action.EXPORT_CLIP)}
    needed, use, tail, audit_action = Action.EXPORT_CLIP, "clip", "clip.mp4", "media.clip"

    @extend_schema(
        operation_id="cameras_clip_retrieve",
        parameters=[FROM, TO, STREAM, PROXY],
        responses={302: _REDIRECT, 404: NoFootageSerializer},
    )
    def get(self, request, camera_id):
        """MP4 of a span of up to 24 hours, from the keyframe at or before `from`, not transcoded."""
        return super().get(request, camera_id)


class PlaylistView(_SpanView):
    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK)}
    needed, use, tail, audit_action = Action.VIEW_PLAYBACK, "playback", "playlist.m3u8", "media.playlist"

    def _valid_for(self, span: Span) -> timedelta:
        """A player fetches the last piece when it gets there."""
        return CLIP_VALID + timedelta(milliseconds=span.duration_ms)

    @extend_schema(
        operation_id="cameras_playlist_retrieve",
        parameters=[FROM, TO, STREAM, PROXY],
        responses={302: _REDIRECT, 404: NoFootageSerializer},
    )
    def get(self, request, camera_id):
        """HLS playlist (fMP4) of a span of up to 24 hours."""
        return super().get(request, camera_id)


class SnapshotView(_CameraMediaView):
    # A recorded picture takes the right to play back; see `get`.
    required_actions = {"GET": on_object(Action.VIEW_LIVE)}

    @extend_schema(
        operation_id="cameras_snapshot_retrieve",
        parameters=[AT, STREAM, OpenApiParameter("w", int, description="Greatest width in pixels."), PROXY],
        responses={302: _REDIRECT, 404: NoFootageSerializer},
    )
    def get(self, request, camera_id):
        """JPEG of a moment; without `at`, of now."""
        at_ms = read_instant(request, "at")
        width = request.query_params.get("w")
        if width is not None and not (width.isascii() and width.isdigit() and 16 <= int(width[:6]) <= MAX_WIDTH_PX):
            raise refuse_field("w", "invalid", "`w` is a width from 16 to 3840 pixels.")
        needed = Action.VIEW_LIVE if at_ms is None else Action.VIEW_PLAYBACK
        camera, kind = self._open(request, camera_id, needed, must_run=at_ms is None)
        query: dict[str, object] = {}
        span = None
        if at_ms is not None:
            span = Span(at_ms, at_ms + 1)
            presence = look_for_footage(camera, kind, span)
            if not presence.has_footage:
                return no_footage(presence.before_ms, presence.after_ms)
            query["at"] = at_ms
        if width is not None:
            query["w"] = width
        self._audit(request, camera, "media.snapshot", span)
        address = make_media_address(request, camera, use="snapshot", stream=kind, valid=LIVE_VALID, span=span)
        return self._redirect(request, address, "snapshot.jpg", query)


def no_footage(before_ms: int | None, after_ms: int | None) -> Response:
    nearest = {
        "before": None if before_ms is None else iso_ms(before_ms),
        "after": None if after_ms is None else iso_ms(after_ms),
    }
    error = {"code": "no_footage", "detail": "Nothing is recorded in this span.", "attr": None}
    return Response({"type": "client_error", "errors": [error], "nearest": nearest}, status=404)

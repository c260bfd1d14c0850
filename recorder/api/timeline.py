"""The timeline of a camera: `GET /api/v1/cameras/{id}/timeline/?from&to&stream`."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.parameters import FROM, STREAM, TO, find_stream, read_stream_kind
from recorder.causes import GapCause
from recorder.timeline import JOIN_MS, SpanTooDenseError, read_timeline
from vms.accounts.rights import Action
from vms.api.errors import refuse_field
from vms.api.permissions import on_object
from vms.api.times import iso_ms, read_span
from vms.cameras.access import access_camera

MAX_SPAN = timedelta(days=366)
MAX_RESOLUTION_MS = 86_400_000
RESOLUTION = OpenApiParameter(
    "resolution_ms", int, default=JOIN_MS,
    description="Runs closer than this are told as one: for wide spans, where a gap would be less than a pixel.",
)  # fmt: skip


class RecordedSerializer(serializers.Serializer):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class GapSerializer(RecordedSerializer):
    cause = serializers.ChoiceField(choices=[cause.value for cause in GapCause])
    detail = serializers.CharField()


class TimelineSerializer(serializers.Serializer):
    """`recordings` and `gaps` together cover the span up to now, without overlap, in order."""

    recordings = RecordedSerializer(many=True)
    gaps = GapSerializer(many=True)
    motion = RecordedSerializer(many=True)
    bookmarks = serializers.ListField(child=serializers.DictField())


class TimelineView(APIView):
    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK)}

    @extend_schema(parameters=[FROM, TO, STREAM, RESOLUTION], responses={200: TimelineSerializer})
    def get(self, request, camera_id) -> Response:
        """What is recorded in a span, and why the rest is not. A span may be up to 366 days long."""
        camera = access_camera(request.user, camera_id, Action.VIEW_PLAYBACK)
        span = read_span(request, max_duration=MAX_SPAN)
        stream = find_stream(camera, read_stream_kind(request))
        try:
            timeline = read_timeline(
                camera, stream, span, timezone.now(), join_ms=max(JOIN_MS, read_resolution_ms(request))
            )
        except SpanTooDenseError as err:
            raise refuse_field(
                "to", "span_too_dense", "Too much happened in this span: ask for a shorter one."
            ) from err
        return Response(
            {
                "recordings": [
                    {"start": iso_ms(run.start_ms), "end": iso_ms(run.end_ms)} for run in timeline.recordings
                ],
                "gaps": [
                    {
                        "start": iso_ms(gap.start_ms),
                        "end": iso_ms(gap.end_ms),
                        "cause": gap.cause,
                        "detail": gap.detail,
                    }
                    for gap in timeline.gaps
                ],
                "motion": [],
                "bookmarks": [],
            }
        )


def read_resolution_ms(request) -> int:
    text = request.query_params.get("resolution_ms", str(JOIN_MS))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= MAX_RESOLUTION_MS):
        raise refuse_field("resolution_ms", "invalid", f"`resolution_ms` is a number from 0 to {MAX_RESOLUTION_MS}.")
    return int(text)

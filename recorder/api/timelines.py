"""The timelines of many cameras at once: `GET /api/v1/timeline/?cameras=a,b&from&to&stream&resolution_ms`.

Spans are `[start_ms, end_ms]` in Unix milliseconds and causes are told by number: 64 cameras over a month are
thousands of spans, and a page only draws them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.parameters import FROM, STREAM, TO, read_stream_kind
from recorder.api.timeline import MAX_SPAN, RESOLUTION, read_resolution_ms
from recorder.timeline import JOIN_MS, SpanTooDenseError, Timeline, read_timelines
from vms.accounts.rights import Action
from vms.api.errors import refuse_field
from vms.api.permissions import on_object
from vms.api.times import iso_ms, read_span
from vms.cameras.access import access_cameras
from vms.cameras.models import Stream

MAX_CAMERAS = 128
MAX_ROWS = 200_000
CAMERAS = OpenApiParameter(
    "cameras", str, required=True, description=f"Up to {MAX_CAMERAS} IDs, separated by commas; only yours are answered."
)


class CameraTimelineSerializer(serializers.Serializer):
    camera = serializers.UUIDField()
    recordings = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()), help_text="`[start_ms, end_ms]`, in order."
    )
    gaps = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="`[start_ms, end_ms, number of the reason]`, in order.",
    )


class ReasonSerializer(serializers.Serializer):
    cause = serializers.CharField()
    detail = serializers.CharField()


class TimelinesSerializer(serializers.Serializer):
    """Per camera, `recordings` and `gaps` together cover the span up to now, without overlap. Unix milliseconds."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    reasons = ReasonSerializer(many=True)
    cameras = CameraTimelineSerializer(many=True)


class TimelinesView(APIView):
    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK)}

    @extend_schema(parameters=[CAMERAS, FROM, TO, STREAM, RESOLUTION], responses={200: TimelinesSerializer})
    def get(self, request) -> Response:
        """What is recorded of many cameras in a span of up to 366 days. As many queries as for one camera."""
        wanted = _read_cameras(request)
        span = read_span(request, max_duration=MAX_SPAN)
        kind = read_stream_kind(request)
        cameras = access_cameras(request.user, Action.VIEW_PLAYBACK).filter(pk__in=wanted)
        streams = list(Stream.objects.filter(camera__in=cameras, kind=kind).select_related("status", "camera__server"))
        streams.sort(key=lambda stream: wanted.index(stream.camera_id))
        join_ms = max(JOIN_MS, read_resolution_ms(request))
        try:
            timelines = read_timelines(streams, span, timezone.now(), join_ms=join_ms, max_rows=MAX_ROWS)
        except SpanTooDenseError as err:
            raise refuse_field(
                "to", "span_too_dense", "Too much happened in this span: ask for a shorter one."
            ) from err
        reasons: dict[tuple[str, str], int] = {}
        rows = [describe(stream.camera_id, timelines[stream.pk], reasons) for stream in streams]
        return Response(
            {
                "start": iso_ms(span.start_ms),
                "end": iso_ms(span.end_ms),
                "reasons": [{"cause": cause, "detail": detail} for cause, detail in reasons],
                "cameras": rows,
            }
        )


def describe(camera_id: uuid.UUID, timeline: Timeline, reasons: dict[tuple[str, str], int]) -> dict[str, object]:
    return {
        "camera": camera_id,
        "recordings": [[run.start_ms, run.end_ms] for run in timeline.recordings],
        "gaps": [
            [gap.start_ms, gap.end_ms, reasons.setdefault((gap.cause, gap.detail), len(reasons))]
            for gap in timeline.gaps
        ],
    }


def _read_cameras(request) -> Sequence[uuid.UUID]:
    texts = [text for text in request.query_params.get("cameras", "").split(",") if text]
    if not texts:
        raise refuse_field("cameras", "required", "Name at least one camera.")
    if len(texts) > MAX_CAMERAS:
        raise refuse_field("cameras", "too_many", f"Name at most {MAX_CAMERAS} cameras.")
    try:
        return list(dict.fromkeys(uuid.UUID(text.strip()) for text in texts))
    except ValueError as err:
        raise refuse_field("cameras", "invalid", "`cameras` are IDs, separated by commas.") from err

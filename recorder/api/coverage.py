"""How much is recorded: per camera by local day, and over the last day for every camera that the user may play back."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.parameters import STREAM, find_stream, read_number, read_stream_kind
from recorder.api.timeline import GapSerializer
from recorder.causes import GapCause
from recorder.coverage.days import DaySum
from recorder.coverage.report import percent_of, read_coverage, read_site_coverage
from recorder.timeline import Hole, SpanTooDenseError
from vms.accounts.rights import Action
from vms.api.errors import refuse_field
from vms.api.permissions import on_object
from vms.api.times import iso_ms
from vms.cameras.access import access_camera, access_cameras

MAX_DAYS = 366
MAX_HOURS = 168
DAYS = OpenApiParameter("days", int, default=90, description=f"Local days, today included; 1 to {MAX_DAYS}.")
ZONE = OpenApiParameter("tz", str, default="UTC", description="IANA time zone whose days are meant.")
HOURS = OpenApiParameter("hours", int, default=24, description=f"1 to {MAX_HOURS}.")


class DayCoverageSerializer(serializers.Serializer):
    """`recorded_s`, the gaps, `before_s` and `ahead_s` make `length_s` exactly."""

    date = serializers.DateField()
    length_s = serializers.FloatField(help_text="82800 or 90000 where the clock is set by an hour.")
    recorded_s = serializers.FloatField()
    gaps = serializers.DictField(child=serializers.FloatField(), help_text="Seconds by cause.")
    before_s = serializers.FloatField(help_text="Before the camera was added.")
    ahead_s = serializers.FloatField(help_text="Not yet come.")
    percent = serializers.FloatField(allow_null=True)


class CoverageSerializer(serializers.Serializer):
    timezone = serializers.CharField()
    stream = serializers.CharField()
    days = DayCoverageSerializer(many=True)
    percent = serializers.FloatField(allow_null=True, help_text="Recorded, of all time since the camera was added.")
    wanted_percent = serializers.FloatField(
        allow_null=True, help_text="Recorded, of the time that it wasn't switched off or off by schedule."
    )
    longest_gap = GapSerializer(allow_null=True)
    footage_from = serializers.DateTimeField(allow_null=True)
    footage_to = serializers.DateTimeField(allow_null=True)


class CameraCoverageView(APIView):
    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK)}

    @extend_schema(parameters=[DAYS, ZONE, STREAM], responses={200: CoverageSerializer})
    def get(self, request, camera_id) -> Response:
        """How much of each of the last days is recorded, and why the rest is not."""
        camera = access_camera(request.user, camera_id, Action.VIEW_PLAYBACK)
        stream = find_stream(camera, read_stream_kind(request))
        stream.camera = camera
        days = read_number(request, "days", 90, MAX_DAYS)
        zone = read_zone(request)
        try:
            report = read_coverage(stream, days, zone, timezone.now())
        except SpanTooDenseError as err:
            raise refuse_field("days", "span_too_dense", "Too much happened in these days: ask for fewer.") from err
        return Response(
            {
                "timezone": str(zone),
                "stream": stream.kind,
                "days": [_describe_day(day) for day in report.days],
                "percent": report.percent,
                "wanted_percent": report.wanted_percent,
                "longest_gap": describe_gap(report.longest_gap),
                "footage_from": _iso(report.footage_from_ms),
                "footage_to": _iso(report.footage_to_ms),
            }
        )


class CameraShareSerializer(serializers.Serializer):
    camera = serializers.UUIDField()
    percent = serializers.FloatField(allow_null=True, help_text="Null before anything could be recorded.")
    wanted_percent = serializers.FloatField(allow_null=True)
    gaps = serializers.ListField(
        child=serializers.ListField(child=serializers.JSONField()),
        help_text="`[from, to, cause]` with shares of the span from 0 to 1, for drawing a bar.",
    )


class SiteCoverageSerializer(serializers.Serializer):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    cameras = CameraShareSerializer(many=True)


class SiteCoverageView(APIView):
    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK)}

    @extend_schema(parameters=[HOURS], responses={200: SiteCoverageSerializer})
    def get(self, request) -> Response:
        """The last day of every camera that you may play back (main streams): percent, and where the gaps are."""
        hours = read_number(request, "hours", 24, MAX_HOURS)
        now = timezone.now()
        cameras = list(access_cameras(request.user, Action.VIEW_PLAYBACK))
        rows = read_site_coverage(cameras, hours, now)
        end_ms = int(now.timestamp() * 1000)
        length_ms = hours * 3_600_000
        start_ms = end_ms - length_ms
        return Response(
            {
                "start": iso_ms(start_ms),
                "end": iso_ms(end_ms),
                "cameras": [
                    {
                        "camera": row.camera.pk,
                        "percent": row.percent,
                        "wanted_percent": row.wanted_percent,
                        "gaps": [
                            [*(share(at - start_ms, length_ms) for at in (gap.start_ms, gap.end_ms)), gap.cause]
                            for gap in row.timeline.gaps
                            if gap.end_ms is not None
                        ],
                    }
                    for row in rows
                ],
            }
        )


def share(part_ms: int, whole_ms: int) -> float:
    return round(min(max(part_ms / whole_ms, 0.0), 1.0), 5)


def read_zone(request) -> ZoneInfo:
    """The time zone `tz`. Raises a 400."""
    name = request.query_params.get("tz", "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise refuse_field("tz", "unknown_zone", "`tz` is the name of a time zone, such as Europe/Berlin.") from err


def describe_gap(gap: Hole | None) -> dict[str, str] | None:
    if gap is None or gap.end_ms is None:
        return None
    return {"start": iso_ms(gap.start_ms), "end": iso_ms(gap.end_ms), "cause": gap.cause, "detail": gap.detail}


def _describe_day(day: DaySum) -> dict[str, object]:
    order = {cause.value: number for number, cause in enumerate(GapCause)}
    return {
        "date": day.day.isoformat(),
        "length_s": day.length_ms / 1000,
        "recorded_s": day.recorded_ms / 1000,
        "gaps": {cause: ms / 1000 for cause, ms in sorted(day.gaps_ms.items(), key=lambda one: order[one[0]])},
        "before_s": day.before_ms / 1000,
        "ahead_s": day.ahead_ms / 1000,
        "percent": percent_of(day.recorded_ms, day.counted_ms),
    }


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else iso_ms(at_ms)

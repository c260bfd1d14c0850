"""How much of a camera is recorded: by local day for one stream, over the last day for all cameras.

Used by the API and the console, in the web process. Cost: a timeline's two or three queries and two more, whatever the
number of days, rows and cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.db.models import Min

from recorder.causes import GapCause
from recorder.coverage.days import DaySum, day_bounds, sum_days
from recorder.models import Recording
from recorder.timeline import Hole, Timeline, covers_since, read_timelines
from vms.api.times import Span, to_ms
from vms.cameras.choices import RecordingMode, StreamKind
from vms.cameras.models import Camera, Stream

MAX_ROWS = 400_000
"""Runs or gaps behind one report: a camera that reconnects every 20 s for 90 days. About 100 MB for a second."""
_OFF = (GapCause.DISABLED.value, GapCause.SCHEDULE.value)


@dataclass(frozen=True, slots=True)
class CoverageReport:
    days: list[DaySum]
    """Oldest first; the last one is today."""
    longest_gap: Hole | None
    """Among those that weren't wanted: a camera that is switched off has no gap to worry about."""
    footage_from_ms: int | None
    footage_to_ms: int | None

    @property
    def percent(self) -> float | None:
        return percent_of(sum(day.recorded_ms for day in self.days), sum(day.counted_ms for day in self.days))

    @property
    def wanted_percent(self) -> float | None:
        return percent_of(sum(day.recorded_ms for day in self.days), sum(day.wanted_ms for day in self.days))


@dataclass(frozen=True, slots=True)
class CameraCoverage:
    """Of one camera's main stream over the last hours."""

    camera: Camera
    percent: float | None
    """None where nothing could be recorded yet."""
    wanted_percent: float | None
    timeline: Timeline


def percent_of(part_ms: int, whole_ms: int) -> float | None:
    """Rounded down to a hundredth, so that only a whole is 100."""
    return int(10_000 * part_ms // whole_ms) / 100 if whole_ms > 0 else None


def read_coverage(stream: Stream, days: int, zone: tzinfo, now: datetime) -> CoverageReport:
    """The last `days` local days of `stream` (with `camera.server` and `status` loaded), today included. Raises
    `SpanTooDenseError`."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    bounds = day_bounds(first, days, zone)
    now_ms = to_ms(now)
    timeline = read_timelines([stream], Span(bounds[0], bounds[-1]), now, max_rows=MAX_ROWS)[stream.pk]
    oldest = Recording.objects.filter(stream=stream).aggregate(oldest=Min("started_at"))["oldest"]
    since_ms = since_of(stream, oldest)
    return CoverageReport(
        sum_days(timeline, first, bounds, since_ms, now_ms),
        find_longest(timeline, since_ms),
        to_ms(oldest) if oldest else None,
        timeline.recordings[-1].end_ms if timeline.recordings else _newest_end_ms(stream),
    )


def since_of(stream: Stream, oldest: datetime | None) -> int:
    """Footage may be older than the camera's row, where the database was rebuilt from disk."""
    since_ms = to_ms(covers_since(stream))
    return min(since_ms, to_ms(oldest)) if oldest else since_ms


def find_longest(timeline: Timeline, since_ms: int) -> Hole | None:
    """The longest gap that nobody asked for, cut at `since_ms`."""
    longest: Hole | None = None
    for gap in timeline.gaps:
        if gap.cause in _OFF or gap.end_ms is None or gap.end_ms <= since_ms:
            continue
        cut = Hole(max(gap.start_ms, since_ms), gap.end_ms, gap.cause, gap.detail)
        if longest is None or gap.end_ms - cut.start_ms > (longest.end_ms or 0) - longest.start_ms:
            longest = cut
    return longest


def read_site_coverage(cameras: Sequence[Camera], hours: int, now: datetime) -> list[CameraCoverage]:
    """Of each camera that has a main stream, over the last `hours`. Three or four queries for all cameras together."""
    by_pk = {camera.pk: camera for camera in cameras}
    streams = list(
        Stream.objects.filter(camera__in=by_pk, kind=StreamKind.MAIN).select_related("status", "camera__server")
    )
    now_ms = to_ms(now)
    span = Span(now_ms - hours * 3_600_000, now_ms)
    timelines = read_timelines(streams, span, now, max_rows=MAX_ROWS)
    rows = []
    for stream in streams:
        timeline = timelines[stream.pk]
        since_ms = since_of(stream, None)
        if timeline.recordings:
            since_ms = min(since_ms, timeline.recordings[0].start_ms)
        (total,) = sum_days(timeline, now.date(), [span.start_ms, span.end_ms], since_ms, now_ms)
        rows.append(
            CameraCoverage(
                by_pk[stream.camera_id],
                percent_of(total.recorded_ms, total.counted_ms),
                percent_of(total.recorded_ms, total.wanted_ms),
                timeline,
            )
        )
    return sorted(rows, key=lambda row: (row.camera.name, str(row.camera.pk)))


def is_meant_to_record(stream: Stream) -> bool:
    camera = stream.camera
    return (
        camera.deleted_at is None
        and camera.is_enabled
        and stream.is_enabled
        and camera.recording_mode != RecordingMode.OFF
    )


def _newest_end_ms(stream: Stream) -> int | None:
    newest = Recording.objects.filter(stream=stream, ended_at__isnull=False).order_by("-ended_at").first()
    return to_ms(newest.ended_at) if newest and newest.ended_at else None

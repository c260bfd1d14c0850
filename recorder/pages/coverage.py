"""The coverage report of one camera: 90 local days as a strip, percent, the longest gap, what the gaps were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from recorder.causes import GapCause
from recorder.coverage.days import DaySum
from recorder.coverage.report import percent_of, read_coverage
from recorder.timeline import SpanTooDenseError
from vms.accounts.rights import Action
from vms.api.times import from_ms
from vms.cameras.access import access_camera
from vms.cameras.choices import StreamKind
from vms.cameras.models import Stream
from vms.console.frame import render_page

DAYS = 90
FULL_PX = 64
"""Height of a whole day in the strip."""
_OFF = (GapCause.DISABLED.value, GapCause.SCHEDULE.value)


@dataclass(frozen=True, slots=True)
class Column:
    """One day of the strip, in units of its drawing: from the bottom footage, what was off, gaps."""

    day: date
    x: int
    recorded: float
    off: float
    gap: float
    recorded_y: float
    off_y: float
    gap_y: float
    told: str
    percent: float | None


@require_safe
def camera_coverage(request: HttpRequest, camera_id: UUID) -> HttpResponse:
    camera = access_camera(request.user, camera_id, Action.VIEW_PLAYBACK)
    kind = request.GET.get("stream", StreamKind.MAIN.value)
    streams = {row.kind: row for row in Stream.objects.filter(camera=camera).select_related("status")}
    if kind not in streams:
        raise Http404
    streams[kind].camera = camera
    zone = _zone_of(request)
    context: dict[str, object] = {
        "camera": camera, "stream": kind, "kinds": list(streams), "zone": str(zone), "has_zone": "tz" in request.GET,
        "day_count": DAYS, "height": FULL_PX, "width": DAYS * 10,
    }  # fmt: skip
    try:
        report = read_coverage(streams[kind], DAYS, zone, timezone.now())
    except SpanTooDenseError:
        return render_page(request, "recorder/coverage.html", {**context, "is_too_dense": True}, section="wall")
    totals: Counter[str] = Counter()
    for day in report.days:
        totals.update(day.gaps_ms)
    longest = report.longest_gap
    context |= {
        "columns": [_column(number, day) for number, day in enumerate(report.days)],
        "percent": report.percent,
        "wanted_percent": report.wanted_percent,
        "longest": longest and {
            "cause": _words(longest.cause),
            "detail": longest.detail,
            "from": from_ms(longest.start_ms).astimezone(zone),
            "length": _duration((longest.end_ms or longest.start_ms) - longest.start_ms),
        },
        "causes": [(_words(cause), _duration(ms)) for cause, ms in totals.most_common()],
        "footage_from": from_ms(report.footage_from_ms).astimezone(zone) if report.footage_from_ms else None,
        "footage_to": from_ms(report.footage_to_ms).astimezone(zone) if report.footage_to_ms else None,
    }  # fmt: skip
    return render_page(request, "recorder/coverage.html", context, section="wall")


def _zone_of(request: HttpRequest) -> ZoneInfo:
    try:
        return ZoneInfo(request.GET.get("tz", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _column(number: int, day: DaySum) -> Column:
    scale = FULL_PX / day.length_ms if day.length_ms else 0
    off_ms = sum(day.gaps_ms.get(cause, 0) for cause in _OFF)
    gap_ms = sum(day.gaps_ms.values()) - off_ms
    recorded, off, gap = (round(ms * scale, 2) for ms in (day.recorded_ms, off_ms, gap_ms))
    if gap_ms and gap < 1:
        gap = 1.0  # a gap of seconds must still be seen
    percent = percent_of(day.recorded_ms, day.counted_ms)
    gaps = ", ".join(f"{_words(cause).lower()} {_duration(ms)}" for cause, ms in sorted(day.gaps_ms.items()))
    told = f"{day.day:%a %d %b}: " + ("no camera yet" if percent is None else f"{percent:g} %")
    return Column(
        day.day, number * 10, recorded, off, gap, FULL_PX - recorded, max(FULL_PX - recorded - off, 0),
        max(FULL_PX - recorded - off - gap, 0), told + (f"; {gaps}" if gaps else ""), percent,
    )  # fmt: skip


def _words(cause: str) -> str:
    return cause.replace("_", " ").capitalize()


def _duration(ms: int) -> str:
    """`3 d 4 h`, `12 min 5 s`, `0.4 s`."""
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for unit, name, smaller, small_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            rest = int(seconds % unit // smaller)
            return f"{int(seconds // unit)} {name}" + (f" {rest} {small_name}" if rest else "")
    return ""

"""Sums by local day, exact to the millisecond whatever the clock of the zone does: pure.

A day lasts from the first instant whose local date it is to the first of the next: 23 or 25 hours where the clock is
set by an hour, 23.5 on Lord Howe Island, none at all for a date that a zone skipped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo

from recorder.causes import GapCause
from recorder.coverage.claims import Claim, Winners
from recorder.timeline import Timeline
from vms.api.times import to_ms

BEFORE, AHEAD, RECORDED = "before", "ahead", "recorded"


@dataclass(slots=True)
class DaySum:
    """`recorded_ms`, the gaps, `before_ms` (no camera yet) and `ahead_ms` (not yet come) make `length_ms`."""

    day: date
    length_ms: int
    recorded_ms: int = 0
    gaps_ms: dict[str, int] = field(default_factory=dict)
    before_ms: int = 0
    ahead_ms: int = 0

    @property
    def counted_ms(self) -> int:
        """What could be recorded: without the time before the camera and what is ahead."""
        return self.length_ms - self.before_ms - self.ahead_ms

    @property
    def wanted_ms(self) -> int:
        """`counted_ms` without what was left out on purpose: switched off, or off by schedule."""
        off = (GapCause.DISABLED.value, GapCause.SCHEDULE.value)
        return self.counted_ms - sum(self.gaps_ms.get(cause, 0) for cause in off)


def day_bounds(first: date, days: int, zone: tzinfo) -> list[int]:
    """Unix milliseconds at which `days` local days from `first` begin, and the end of the last: `days + 1` numbers."""
    # Where midnight doesn't exist, fold 0 means the instant of the jump; where it comes twice, its first time.
    midnights = (datetime.combine(first + timedelta(days=number), time(), zone) for number in range(days + 1))
    return [to_ms(midnight) for midnight in midnights]


def sum_days(timeline: Timeline, first: date, bounds: Sequence[int], since_ms: int, now_ms: int) -> list[DaySum]:
    """Sums of a timeline that covers `[bounds[0], min(bounds[-1], now))`. Before `since_ms` only footage counts."""
    sums = [DaySum(first + timedelta(days=number), end - start) for number, (start, end) in _pairs(bounds)]
    winners: Winners[tuple[str, str]] = Winners(_claims(timeline, bounds, since_ms, now_ms))
    for day, (_, (start, end)) in zip(sums, _pairs(bounds), strict=True):
        for first_ms, last_ms, owner in winners.over(start, end):
            kind, cause = owner or ("gap", GapCause.UNKNOWN.value)
            length = last_ms - first_ms
            if kind == RECORDED:
                day.recorded_ms += length
            elif kind == BEFORE:
                day.before_ms += length
            elif kind == AHEAD:
                day.ahead_ms += length
            else:
                day.gaps_ms[cause] = day.gaps_ms.get(cause, 0) + length
    return sums


def _pairs(bounds: Sequence[int]) -> Iterable[tuple[int, tuple[int, int]]]:
    return enumerate(itertools.pairwise(bounds))


def _claims(timeline: Timeline, bounds: Sequence[int], since_ms: int, now_ms: int) -> Iterable[Claim[tuple[str, str]]]:
    for run in timeline.recordings:
        yield run.start_ms, run.end_ms, 3, (RECORDED, "")
    if since_ms > bounds[0]:
        yield bounds[0], since_ms, 2, (BEFORE, "")
    if now_ms < bounds[-1]:
        yield max(now_ms, bounds[0]), bounds[-1], 1, (AHEAD, "")
    for gap in timeline.gaps:
        if gap.end_ms is not None:
            yield gap.start_ms, gap.end_ms, 0, ("gap", gap.cause)

"""Days are as long as the zone's clock makes them, and their sums are exact."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.coverage.days import day_bounds, sum_days
from recorder.coverage.report import percent_of
from recorder.timeline import Hole, Run, merge_timeline
from tests.recorder.coverage.examples import examples
from vms.api.times import Span, to_ms

HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "America/Havana", "Asia/Kathmandu",
         "Africa/Cairo", "Pacific/Apia", "America/St_Johns")  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Santiago", date(2026, 9, 6), 23),  # midnight does not exist
        ("America/Havana", date(2026, 11, 1), 25),  # midnight comes twice
        ("Pacific/Apia", date(2011, 12, 30), 0),  # the date was skipped
    ],
)
def test_a_local_day_is_as_long_as_its_clock_makes_it(zone, day, hours):
    start, end = day_bounds(day, 1, ZoneInfo(zone))
    assert end - start == hours * HOUR_MS


@examples(150)
@given(
    st.sampled_from(ZONES),
    st.dates(date(2024, 1, 1), date(2027, 12, 1)),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 5 * 86_400_000), st.integers(0, 86_400_000)), max_size=8),
    st.lists(st.tuples(st.integers(0, 5 * 86_400_000), st.none() | st.integers(0, 86_400_000)), max_size=8),
    st.integers(-86_400_000, 6 * 86_400_000),
    st.integers(-86_400_000, 6 * 86_400_000),
)
def test_recorded_and_causes_add_up_to_the_day(zone, first, days, runs, gaps, since, now):
    bounds = day_bounds(first, days, ZoneInfo(zone))
    base = bounds[0]
    timeline = merge_timeline(
        [Run(base + start, base + start + length) for start, length in runs],
        [Hole(base + start, None if length is None else base + start + length, "stalled") for start, length in gaps],
        Span(bounds[0], bounds[-1]),
        base + now,
    )
    sums = sum_days(timeline, first, bounds, base + since, base + now)
    assert [day.day for day in sums] == [first + timedelta(days=number) for number in range(days)]
    for number, day in enumerate(sums):
        assert day.length_ms == bounds[number + 1] - bounds[number]
        told = day.recorded_ms + sum(day.gaps_ms.values()) + day.before_ms + day.ahead_ms
        assert told == day.length_ms
    total = sum(run.end_ms - run.start_ms for run in timeline.recordings)
    assert sum(day.recorded_ms for day in sums) == total


def test_the_local_date_changes_at_every_bound():
    zone = ZoneInfo("Africa/Cairo")
    for start in day_bounds(date(2026, 1, 1), 365, zone):
        at = datetime.fromtimestamp(start / 1000, UTC)
        assert at.astimezone(zone).date() != (at - timedelta(milliseconds=1)).astimezone(zone).date()
        assert to_ms(at) == start


def test_only_a_whole_is_a_hundred_percent():
    assert percent_of(10_000, 10_000) == 100
    assert percent_of(999_999, 1_000_000) == 99.99
    assert percent_of(0, 0) is None

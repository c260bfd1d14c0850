"""How long footage will stay: the sums are right, and what is forecast is what a simulated archive does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.retention.forecast import Load, forecast
from recorder.retention.plan import Rule
from tests.recorder.coverage.examples import examples

GB = 10**9
loads = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 50), st.none() | st.integers(0, 60), st.none() | st.integers(0, 60)),
    min_size=1, max_size=6,
).map(lambda rows: [
    Load(number, kept * GB, rate * GB, Rule(min_days=low, max_days=None if high is None else high + (low or 0)))
    for number, (kept, rate, low, high) in enumerate(rows)
])  # fmt: skip


@examples(300)
@given(loads, st.integers(0, 2000), st.integers(0, 200))
def test_the_room_is_shared_and_promises_come_first(rows, free, reserve):
    outlooks = forecast(rows, free * GB, reserve * GB)
    usable = max(0, sum(row.kept_bytes for row in rows) + (free - reserve) * GB)
    used = sum(row.rate_bytes_per_day * (outlooks[row.stream].kept_days or 0) for row in rows)
    assert used <= usable * 1.000001 + 1
    is_short = any(outlook.is_short for outlook in outlooks.values())
    promised = sum(
        row.rate_bytes_per_day
        * min(row.rule.min_days or 0, row.rule.max_days if row.rule.max_days is not None else 1e9)
        for row in rows
    )
    if promised <= usable:
        assert not is_short, "promises that fit are kept"
    for row in rows:
        outlook = outlooks[row.stream]
        if row.rate_bytes_per_day and row.rule.max_days is not None and outlook.kept_days is not None:
            assert outlook.kept_days <= row.rule.max_days * 1.000001
        assert (outlook.breaks_in_days is not None) == outlook.is_short


def test_one_camera_alone():
    # 460 GB at 20 GB a day: 23 days. 100 GB are there, so 18 days pass until promised footage has to go.
    outlook = forecast([Load(1, 100 * GB, 20 * GB, Rule(min_days=30))], 370 * GB, 10 * GB)[1]
    assert outlook.kept_days == pytest.approx(23)
    assert outlook.breaks_in_days == pytest.approx(18)
    assert outlook.missing_bytes == pytest.approx(7 * 20 * GB)


def test_a_camera_without_a_promise_gives_way():
    rows = [Load(1, 0, 10 * GB, Rule(min_days=30)), Load(2, 0, 10 * GB, Rule())]
    outlooks = forecast(rows, 400 * GB, 0)
    assert outlooks[1].kept_days == pytest.approx(30) and not outlooks[1].is_short
    assert outlooks[2].kept_days == pytest.approx(10)


def test_what_a_limited_camera_leaves_goes_to_the_others():
    rows = [
        Load(1, 0, 10 * GB, Rule(max_days=5)),
        Load(2, 0, 10 * GB, Rule(max_bytes=100 * GB)),
        Load(3, 0, 10 * GB, Rule()),
    ]
    outlooks = forecast(rows, 400 * GB, 0)
    assert [outlooks[number].kept_days for number in (1, 2, 3)] == pytest.approx([5, 10, 25])


def test_promises_that_cant_be_kept_shrink_in_proportion():
    rows = [Load(1, 0, 10 * GB, Rule(min_days=30)), Load(2, 0, 10 * GB, Rule(min_days=10))]
    outlooks = forecast(rows, 200 * GB, 0)
    assert [outlooks[number].kept_days for number in (1, 2)] == pytest.approx([15, 5])


def test_a_camera_at_rest_has_no_forecast_and_no_shortfall():
    outlook = forecast([Load(1, 5 * GB, 0, Rule(min_days=30))], 0, 10 * GB)[1]
    assert outlook.kept_days is None and not outlook.is_short


def test_what_is_kept_for_ever_is_told_as_such():
    assert forecast([Load(1, 0, 1, Rule(min_days=30))], 400 * GB, 0)[1].kept_days is None

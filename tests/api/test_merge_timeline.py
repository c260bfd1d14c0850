"""The pure part: any rows, any span, always an exact cover."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recorder.timeline import Hole, Run, Unrecorded, merge_timeline
from vms.api.times import Span

instants = st.integers(0, 60_000)
runs = st.lists(st.builds(Run, instants, instants), max_size=12)
holes = st.lists(
    st.builds(
        Hole,
        instants,
        st.none() | instants,
        st.sampled_from(["stalled", "refused"]),
        st.just(""),
        st.integers(0, 2),
    ),
    max_size=12,
)


@given(runs, holes, instants, st.integers(1, 60_000), instants, st.sampled_from([1, 200, 5000]))
def test_recordings_and_gaps_cover_the_span_once_and_in_order(recordings, gaps, start_ms, length_ms, now_ms, join_ms):
    span = Span(start_ms, start_ms + length_ms)
    timeline = merge_timeline(recordings, gaps, span, now_ms, join_ms=join_ms)
    pieces = sorted([*timeline.recordings, *timeline.gaps], key=lambda piece: piece.start_ms)
    end_ms = min(span.end_ms, now_ms)
    if end_ms <= start_ms:
        assert pieces == []
        return
    assert pieces[0].start_ms == start_ms and pieces[-1].end_ms == end_ms
    for before, after in pairwise(pieces):
        assert before.end_ms == after.start_ms
        assert before.start_ms < before.end_ms
    assert timeline.recordings == sorted(timeline.recordings, key=lambda run: run.start_ms)
    assert timeline.gaps == sorted(timeline.gaps, key=lambda gap: gap.start_ms)


@given(runs, holes, instants, st.integers(1, 60_000), instants)
def test_every_recorded_instant_is_told_as_recorded(recordings, gaps, start_ms, length_ms, now_ms):
    span = Span(start_ms, start_ms + length_ms)
    timeline = merge_timeline(recordings, gaps, span, now_ms)
    for run in recordings:
        first, last = max(run.start_ms, start_ms), min(run.end_ms, span.end_ms, now_ms)
        if first < last:
            assert any(got.start_ms <= first and last <= got.end_ms for got in timeline.recordings)


def test_runs_closer_than_200_ms_are_one_and_a_hole_of_200_ms_is_a_gap():
    runs = [Run(0, 1000), Run(1199, 2000), Run(2200, 3000)]
    timeline = merge_timeline(runs, [], Span(0, 3000), 10_000)
    assert timeline.recordings == [Run(0, 2000), Run(2200, 3000)]
    assert timeline.gaps == [Unrecorded(2000, 2200, "unknown")]


def test_overlapping_epochs_are_one_recording():
    timeline = merge_timeline([Run(0, 5000), Run(1000, 2000), Run(4000, 9000)], [], Span(0, 9000), 10_000)
    assert timeline.recordings == [Run(0, 9000)] and timeline.gaps == []


def test_of_overlapping_gaps_the_higher_rank_and_then_the_later_explains():
    gaps = [
        Hole(0, 9000, "server_down", rank=1),
        Hole(2000, 4000, "stalled", rank=1),
        Hole(3000, 5000, "busy", rank=2),
    ]
    timeline = merge_timeline([], gaps, Span(0, 9000), 10_000)
    assert [(gap.start_ms, gap.end_ms, gap.cause) for gap in timeline.gaps] == [
        (0, 2000, "server_down"),
        (2000, 3000, "stalled"),
        (3000, 5000, "busy"),
        (5000, 9000, "server_down"),
    ]


def test_the_future_is_not_covered():
    timeline = merge_timeline([Run(0, 5000)], [], Span(0, 60_000), 6000)
    assert timeline.recordings == [Run(0, 5000)] and timeline.gaps == [Unrecorded(5000, 6000, "unknown")]
    assert merge_timeline([Run(0, 5000)], [], Span(7000, 9000), 6000).recordings == []

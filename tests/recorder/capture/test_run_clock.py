"""Every frame gets a time, times rise, and they stay near the truth whatever the camera's clock does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.clock import RunClock, WallClock

HZ = 90_000
UTC_NS = 1_790_000_000_000_000_000


class SteppedClocks:
    """The one thing that is faked: time."""

    def __init__(self) -> None:
        self.monotonic = 5_000_000_000
        self.ahead_ns = UTC_NS

    def wall(self) -> WallClock:
        return WallClock(lambda: self.monotonic + self.ahead_ns, lambda: self.monotonic)


@dataclass
class Outcome:
    stamps: list[int]
    errors_ms: list[float]
    clock: RunClock


def play(
    frames: int,
    *,
    frame_ticks: int = 6000,
    jumps: dict[int, int] | None = None,
    once: dict[int, int] | None = None,
    jitter_ms: list[int] | None = None,
    ppm: int = 0,
) -> Outcome:
    """A camera with a frame every `frame_ticks` whose clock jumps for good (`jumps`) or for one frame (`once`)."""
    clocks = SteppedClocks()
    wall = clocks.wall()
    start_ns = clocks.monotonic
    clock = None
    shift = 0
    stamps, errors = [], []
    for number in range(frames):
        taken_ns = start_ns + number * frame_ticks * 100_000 // 9
        lateness_ms = 2 + (jitter_ms[number % len(jitter_ms)] if jitter_ms else 0)
        arrived_ns = max(clocks.monotonic, taken_ns + lateness_ms * 1_000_000)
        clocks.monotonic = arrived_ns
        shift += (jumps or {}).get(number, 0)
        timestamp = 777 + number * frame_ticks * (1_000_000 + ppm) // 1_000_000 + shift + (once or {}).get(number, 0)
        if clock is None:
            clock = RunClock(wall, HZ, [(timestamp, arrived_ns)], frame_ticks=frame_ticks)
        stamp = clock.stamp(timestamp, arrived_ns)
        stamps.append(stamp)
        errors.append((stamp * 100_000 / 9 - (taken_ns + UTC_NS)) / 1e6)
    return Outcome(stamps, errors, clock)


def assert_rising(stamps: list[int]) -> None:
    assert all(earlier < later for earlier, later in itertools.pairwise(stamps))


big = st.integers(-(2**33), 2**33)
small = st.integers(-HZ * 3, HZ * 3)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.integers(1, 280), st.one_of(big, small), max_size=6),
    st.dictionaries(st.integers(1, 280), st.one_of(big, small), max_size=6),
)
def test_jumps_for_good_and_for_one_frame_keep_order_and_time(jumps: dict[int, int], once: dict[int, int]) -> None:
    outcome = play(300, jumps=jumps, once=once)
    assert len(outcome.stamps) == 300
    assert_rising(outcome.stamps)
    assert max(map(abs, outcome.errors_ms)) <= 100


def test_a_single_frame_far_in_the_future_and_one_far_in_the_past_are_put_in_line() -> None:
    """The camera of mediamtx issue 6255: +37600 s, later -9800 s."""
    outcome = play(200, once={50: 37_600 * HZ, 120: -9_800 * HZ})
    assert_rising(outcome.stamps)
    assert max(map(abs, outcome.errors_ms)) < 70
    assert outcome.stamps[-1] - outcome.stamps[0] == 199 * 6000


def test_two_frames_with_one_timestamp_both_stay() -> None:
    outcome = play(100, once=dict.fromkeys(range(10, 90, 7), -6000))
    assert_rising(outcome.stamps)
    assert max(map(abs, outcome.errors_ms)) <= 100


@settings(max_examples=20, deadline=None)
@given(st.integers(-500, 500))
def test_a_drift_of_500_ppm_is_followed(ppm: int) -> None:
    outcome = play(15 * 600, ppm=ppm, jitter_ms=[0, 8, 3, 12, 1, 5])
    assert_rising(outcome.stamps)
    assert max(map(abs, outcome.errors_ms)) <= 100
    assert outcome.clock.discontinuities == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 45), min_size=5, max_size=50))
def test_jitter_of_the_network_does_not_bend_the_spacing(jitter_ms: list[int]) -> None:
    outcome = play(600, jitter_ms=jitter_ms)
    steps = [later - earlier for earlier, later in zip(outcome.stamps, outcome.stamps[1:], strict=False)]
    assert max(abs(step - 6000) for step in steps) <= HZ // 500  # 1 ms of steering, in 2 s


def test_a_stalled_network_that_catches_up_is_no_jump() -> None:
    late = [0] * 100 + [max(0, 4000 - 66 * number) for number in range(60)] + [0] * 140
    outcome = play(300, jitter_ms=late)
    assert outcome.clock.discontinuities == 0
    assert max(map(abs, outcome.errors_ms)) < 10


def test_a_burst_of_an_old_gop_does_not_set_the_clock_wrong() -> None:
    clocks = SteppedClocks()
    now = clocks.monotonic
    burst = [(number * 6000, now + number * 100_000) for number in range(30)]
    clock = RunClock(clocks.wall(), HZ, burst)
    stamps = [clock.stamp(*frame) for frame in burst]
    assert_rising(stamps)
    arrival = (burst[-1][1] + UTC_NS) * 9 // 100_000
    assert abs(stamps[-1] - arrival) <= 1


def test_a_new_run_never_begins_before_the_end_of_the_last_one() -> None:
    clocks = SteppedClocks()
    end = (clocks.monotonic + UTC_NS) * 9 // 100_000 + 20_000
    clock = RunClock(clocks.wall(), HZ, [(0, clocks.monotonic)], not_before=end, frame_ticks=6000)
    stamps = []
    for number in range(60):
        stamps.append(clock.stamp(number * 6000, clocks.monotonic + number * 66_666_667))
    assert stamps[0] == end
    assert_rising(stamps)
    assert abs(stamps[-1] - end + 20_000 - 59 * 6000) < HZ // 10


def test_frames_out_of_order_without_declaration_are_not_taken_for_a_jump() -> None:
    clocks = SteppedClocks()
    wall = clocks.wall()
    order = [0]
    for group in range(1, 90, 3):
        order += [group + 2, group, group + 1]
    frames = [(shown * 6000, clocks.monotonic + sent * 66_666_667) for sent, shown in enumerate(order)]
    clock = RunClock(wall, HZ, frames[:4])
    stamps = [clock.stamp(*frame) for frame in frames]
    assert [round((stamp - stamps[0]) / 6000) for stamp in stamps] == order
    assert clock.discontinuities == 0
    assert clock.reorder_depth >= 1


def test_setting_the_wall_clock_is_seen_and_slewing_it_is_not() -> None:
    clocks = SteppedClocks()
    wall = clocks.wall()
    clocks.ahead_ns += 300_000_000
    assert not wall.refresh()
    clocks.ahead_ns -= 3_600_000_000_000
    assert wall.refresh()
    assert wall.steps == 1
    assert not wall.refresh()


def test_a_clock_that_was_never_set_is_not_trusted() -> None:
    clocks = SteppedClocks()
    clocks.ahead_ns = 0
    assert not clocks.wall().is_trusted

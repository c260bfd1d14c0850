"""Which UTC instant a frame was taken at: camera timestamps placed on this server's clock.

Used by the recorder of each stream, on the event loop of a capture shard; pure but for the injected clocks. A
run is anchored once (monotonic to wall time); from then on a camera's own timestamps give the spacing, and
arrival times only steer, gently. Invariants: every frame gets a stamp, stamps of frames in output order rise,
and a stamp is never more than `EARLY_LIMIT_S` later than the frame's arrival. docs/design/time.md has the
reasons.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

STEP_NS = 500_000_000
"""A wall clock that moves this far against the monotonic one was set, not slewed: the run is cut."""
EARLY_LIMIT_S = 0.05
"""No frame arrives before it was taken; beyond this tolerance its timestamp is wrong (sane: 0.03 to 0.1)."""
LATE_LIMIT_S = 1.0
"""Frames may arrive late (a stalled network), so lateness beyond this is judged by its cause."""
BUCKET_S = 2
WINDOW_BUCKETS = 5
"""The least lateness of the last 5 buckets of 2 s is the error that is steered to zero."""
MAX_SLEW_PPM = 500
ANCHOR_SPREAD_S = 5.0
"""Samples of the first moment count for the anchor when they agree within this (a burst of an old GOP does)."""
MAX_REORDER_FRAMES = 16
"""Size of the decoded picture buffer of H.264 and H.265: no more frames can be out of order."""
TRUSTED_SINCE_NS = 1_704_067_200_000_000_000
"""2024-01-01: a wall clock before that was never set (a board without battery boots in 1970)."""


class WallClock:
    """UTC as monotonic time plus an offset; one for a shard, refreshed once a second.

    `steps` counts the times the wall clock was set; whoever anchored to it earlier starts anew.
    """

    def __init__(
        self,
        realtime_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._realtime_ns = realtime_ns
        self.monotonic_ns = monotonic_ns
        self.offset_ns = realtime_ns() - monotonic_ns()
        self.steps = 0

    def refresh(self) -> bool:
        """Read both clocks; true when the wall clock was set since the last call."""
        offset_ns = self._realtime_ns() - self.monotonic_ns()
        has_stepped = abs(offset_ns - self.offset_ns) > STEP_NS
        self.offset_ns = offset_ns
        self.steps += has_stepped
        return has_stepped

    def now_ns(self) -> int:
        return self.monotonic_ns() + self.offset_ns

    @property
    def is_trusted(self) -> bool:
        return self.now_ns() >= TRUSTED_SINCE_NS


class RunClock:
    """Stamps of one track in one run, in ticks of `rate_hz` since the Unix epoch."""

    def __init__(
        self,
        wall: WallClock,
        rate_hz: int,
        first: Sequence[tuple[int, int]],
        *,
        not_before: int = 0,
        frame_ticks: int = 0,
        reorder_depth: int = 0,
    ) -> None:
        """Anchor to `first`: (timestamp, arrived_ns) of the samples of the first moment, at least one.

        No stamp lies before `not_before` (the end of what is recorded already). `frame_ticks` is the usual
        distance of two frames, 0 for unknown.
        """
        self._wall = wall
        self._wall_ns = wall.offset_ns
        self.wall_steps = wall.steps
        self._rate_hz = rate_hz
        self._early = -int(EARLY_LIMIT_S * rate_hz)
        self._late = int(LATE_LIMIT_S * rate_hz)
        self._bucket_ticks = BUCKET_S * rate_hz
        self._slew = self._bucket_ticks * MAX_SLEW_PPM // 1_000_000
        self._not_before = not_before
        self.reorder_depth = reorder_depth
        self.discontinuities = 0
        leads = [self._arrival(arrived_ns) - timestamp for timestamp, arrived_ns in first]
        spread = int(ANCHOR_SPREAD_S * rate_hz)
        self.offset = min(lead for lead in leads if abs(lead - leads[0]) < spread)
        self.offset += max(0, not_before - (first[0][0] + self.offset))
        self._other_offset = self.offset
        if not frame_ticks:
            steps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(first)]
            frame_ticks = min((step for step in steps if step > 0), default=0)
        self._set_frame_ticks(frame_ticks)
        self.last_stamp = first[0][0] + self.offset - max(1, frame_ticks)
        self._second_last = self.last_stamp
        self._last_late = 0
        self._below = 0
        self._frames = 0
        self._window = [0] * WINDOW_BUCKETS
        self._bucket_start = self.last_stamp
        self._bucket_end = self.last_stamp + self._bucket_ticks
        self._floor = self._late

    def _arrival(self, arrived_ns: int) -> int:
        return (arrived_ns + self._wall_ns) * self._rate_hz // 1_000_000_000

    def _set_frame_ticks(self, frame_ticks: int) -> None:
        self.frame_ticks = frame_ticks
        self._short = frame_ticks * 6 // 10

    def stamp(self, timestamp: int, arrived_ns: int) -> int:
        """The presentation time of a frame with this (unwrapped) timestamp. Called once a frame, in decoding order."""
        stamp = timestamp + self.offset
        late = (arrived_ns + self._wall_ns) * self._rate_hz // 1_000_000_000 - stamp
        self._frames += 1
        if self._short < stamp - self.last_stamp and self._early <= late <= self._late:
            self._second_last = self.last_stamp
            self.last_stamp = stamp
            self._last_late = late
            self._below = 0
            if late < self._floor:
                self._floor = late
            if stamp >= self._bucket_end:
                self._turn_bucket()
            return stamp
        return self._stamp_odd(timestamp, stamp, late)

    def _stamp_odd(self, timestamp: int, stamp: int, late: int) -> int:
        step = stamp - self.last_stamp
        if step <= 0 and self._is_reordered(stamp, late):
            self._below += 1
            return stamp
        is_future = late < self._early
        has_gone_back = step < 0 or (step <= self._short and late - self._last_late > self._rate_hz // 25)
        if is_future or has_gone_back:
            stamp, late = self._restamp(timestamp, stamp + late)
        elif step <= 0:
            stamp = self.last_stamp + max(1, self.frame_ticks // 4)  # two frames with one timestamp
        if stamp > self.last_stamp:
            self._second_last = self.last_stamp
            self.last_stamp = stamp
            self._below = 0
        else:
            self._below += 1
        self._last_late = late
        self._floor = min(self._floor, max(late, self._early))
        if stamp >= self._bucket_end:
            self._turn_bucket()
        return stamp

    def _is_reordered(self, stamp: int, late: int) -> bool:
        """A B-frame rather than a clock that went back."""
        if self.last_stamp - stamp > MAX_REORDER_FRAMES * max(1, self.frame_ticks) or late > 2 * self._late:
            return False
        if self.reorder_depth:
            return stamp != self.last_stamp and self._below < MAX_REORDER_FRAMES
        # Undeclared: it must lie in the hole that the frame before it left, away from both edges.
        margin = max(1, self.frame_ticks // 2)
        if self._second_last + margin <= stamp <= self.last_stamp - margin:
            self.reorder_depth = 1
            return True
        return False

    def _restamp(self, timestamp: int, arrival: int) -> tuple[int, int]:
        """The camera's clock jumped: place the frame by arrival, or by the offset before the last jump."""
        self.discontinuities += 1
        stamp = timestamp + self._other_offset
        late = arrival - stamp
        lowest = self.last_stamp - (MAX_REORDER_FRAMES * self.frame_ticks if self.reorder_depth else 0)
        if not (self._early <= late <= self._late // 2 and stamp > lowest and stamp != self.last_stamp):
            usual_late = min(max(self._last_late, 0), self._rate_hz // 5)
            stamp = max(arrival - usual_late, self.last_stamp + max(1, self.frame_ticks // 2), self._not_before)
            late = arrival - stamp
        offset = stamp - timestamp
        if abs(offset - self.offset) > self._rate_hz:
            self._other_offset = self.offset
        self.offset = offset
        return stamp, late

    def _turn_bucket(self) -> None:
        """Steer: once in 2 s of footage by at most 1 ms, towards the least lateness of the last 10 s."""
        span = self.last_stamp - self._bucket_start
        if self._frames and 0 < span < 3 * self._bucket_ticks:
            self._set_frame_ticks(span // self._frames)
        window = self._window
        del window[0]
        window.append(self._floor)
        error = min(window)
        if error >= self._late:
            change = error  # a whole window a second late: the anchor is wrong, not the network
        elif abs(error) > 2 * self._slew:
            change = max(-self._slew, min(self._slew, error))
        else:
            change = 0
        if change:
            self.offset += change
            self._window = [floor - change for floor in window]
        if self._wall.steps == self.wall_steps:
            self._wall_ns = self._wall.offset_ns
        self._frames = 0
        self._floor = self._late
        self._bucket_start = self.last_stamp
        self._bucket_end = self.last_stamp + self._bucket_ticks

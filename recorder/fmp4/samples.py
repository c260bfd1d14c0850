"""The samples of a segment as parallel arrays: what the index stores, readers get and clips are built of.

`TrackLog` collects them, frame by frame in capture (a hot path: a few appends a frame) or fragment by fragment
in the reader; `TrackSamples` is the finished table.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import sub

MAX_SAMPLES = 1_000_000
"""Of one track in one segment. A minute of 60 fps has 3600 frames; G.711 in 10 ms packets 6000 a minute."""

MAX_JUMP_TICKS = 1 << 31
"""Between neighbours: 6.6 hours of video. A segment is cut long before; more is damage."""


@dataclass(slots=True)
class TrackSamples:
    """Parallel arrays in decoding order; times in ticks of `timescale`, decode times since the Unix epoch."""

    timescale: int
    decode_times: array[int]
    """'q', never falling."""
    durations: array[int]
    """'I', distance to the next decode time; that of the last sample is the writer's prediction."""
    cts_offsets: array[int]
    """'i', presentation minus decode time."""
    sizes: array[int]
    """'I', bytes."""
    offsets: array[int]
    """'Q', of the sample in the file."""
    fragment_offsets: array[int]
    """'Q', of the `moof` that holds the sample."""
    keyframes: array[int]
    """'I', indices of sync samples, rising."""

    def __len__(self) -> int:
        return len(self.sizes)


class TrackLog:
    """Collects samples in the order of the file."""

    __slots__ = (
        "cts_offsets",
        "decode_times",
        "fragment_offsets",
        "keyframes",
        "last_duration",
        "offsets",
        "sizes",
    )

    def __init__(self) -> None:
        self.decode_times = array("q")
        self.cts_offsets = array("i")
        self.sizes = array("I")
        self.offsets = array("Q")
        self.fragment_offsets = array("Q")
        self.keyframes = array("I")
        self.last_duration = 0

    def __len__(self) -> int:
        return len(self.sizes)

    def add_frame(
        self,
        fragment_offset: int,
        offset: int,
        size: int,
        decode_time: int,
        duration: int,
        cts_offset: int,
        is_keyframe: bool,
    ) -> None:
        if is_keyframe:
            self.keyframes.append(len(self.sizes))
        self.decode_times.append(decode_time)
        self.cts_offsets.append(cts_offset)
        self.offsets.append(offset)
        self.fragment_offsets.append(fragment_offset)
        self.last_duration = duration
        self.sizes.append(size)

    def add_run(
        self,
        fragment_offset: int,
        offset: int,
        sizes: Sequence[int],
        decode_time: int,
        durations: Sequence[int],
    ) -> None:
        """Sync samples one behind the other from `offset`."""
        count = len(sizes)
        if not count:
            return
        known = len(self.sizes)
        self.keyframes.extend(range(known, known + count))
        self.decode_times.extend(accumulate(islice(durations, count - 1), initial=decode_time))
        self.cts_offsets.frombytes(bytes(4 * count))
        self.offsets.extend(accumulate(islice(sizes, count - 1), initial=offset))
        self.fragment_offsets.extend([fragment_offset] * count)
        self.last_duration = durations[count - 1]
        self.sizes.extend(sizes)

    def finish(self, timescale: int) -> TrackSamples:
        """The table so far. A decode time that falls counts as equal to the one before it, as players have it.
        Raises `ValueError` where one jumps ahead by more than `MAX_JUMP_TICKS`."""
        times = self.decode_times
        distances = list(map(sub, times[1:], times))
        if distances and min(distances) < 0:
            times = array("q", accumulate(times, max))
            distances = list(map(sub, times[1:], times))
        if distances and max(distances) > MAX_JUMP_TICKS:
            raise ValueError("a decode time jumps ahead by hours")
        durations = array("I", distances)
        if len(times):
            durations.append(self.last_duration)
        return TrackSamples(
            timescale,
            times[:],
            durations,
            self.cts_offsets[:],
            self.sizes[:],
            self.offsets[:],
            self.fragment_offsets[:],
            self.keyframes[:],
        )

"""The sample table (`stbl`, ISO 14496-12 clause 8) of one track of a clip, gathered file by file.

numpy does the arithmetic, runs are joined and samples encoded as they come, so a day of video (1.3 million samples)
costs its encoded table and the arrays of one file. Offsets are relative to the first media byte until the end,
when it is known how long everything before it is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recorder.fmp4.boxes import full_box

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one file in decoding order; arrays of equal length."""

    times: Int64
    """Decode times on the clip's clock, in ticks of the track."""
    cts_offsets: Int64
    sizes: Int64
    offsets: Int64
    """From the clip's first media byte."""
    sync: Int64 | None
    """Which of them are keyframes; None where all are (audio)."""


class _Runs:
    """Run-length coding of a sequence that comes in parts."""

    def __init__(self) -> None:
        self._counts: list[Int64] = []
        self._values: list[Int64] = []

    def add(self, values: Int64) -> None:
        if len(values):
            starts = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1))
            self._counts.append(np.diff(np.concatenate((starts, [len(values)]))))
            self._values.append(values[starts])

    def joined(self) -> tuple[Int64, Int64]:
        """Counts and values, neighbours with one value joined."""
        if not self._values:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        counts, values = np.concatenate(self._counts), np.concatenate(self._values)
        starts = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1))
        return np.add.reduceat(counts, starts), values[starts]


class SampleTable:
    """Feed with `add` in decoding order, then ask for the boxes once."""

    def __init__(self) -> None:
        self.count = 0
        self.first_time = 0
        self._entries: dict[bytes, int] = {}
        self._deltas, self._cts, self._chunks = _Runs(), _Runs(), _Runs()
        self._sizes: list[bytes] = []
        self._sync: list[bytes] = []
        self._chunk_offsets: list[Int64] = []
        self._last_time = 0
        self._last_duration = 0
        self._lowest_cts = 0
        self._size = 0

    @property
    def end_time(self) -> int:
        """Where the last sample ends, in decode time."""
        return self._last_time + self._last_duration

    @property
    def last_time(self) -> int:
        return self._last_time

    @property
    def cts_shift(self) -> int:
        """What the table adds to every composition offset so that none is negative."""
        return -min(self._lowest_cts, 0)

    @property
    def duration(self) -> int:
        """In ticks of the track, decode time."""
        return self.end_time - self.first_time

    def add(self, entry: bytes, samples: Samples, last_duration: int) -> None:
        """`entry` is the sample entry box they are decoded with. Times that don't rise are pushed just behind
        the sample before: a duration can't be negative (ISO 14496-12 8.6.1.2)."""
        count = len(samples.times)
        if not count:
            return
        floor = self._last_time + 1 if self.count else int(samples.times[0])
        ramp = np.arange(count, dtype=np.int64)
        times = np.maximum.accumulate(np.maximum(samples.times - ramp, floor)) + ramp
        if self.count:
            self._deltas.add(np.diff(times, prepend=self._last_time))
        else:
            self.first_time = int(times[0])
            self._deltas.add(np.diff(times))
        self._cts.add(samples.cts_offsets)
        self._lowest_cts = min(self._lowest_cts, int(samples.cts_offsets.min()))
        self._sizes.append(samples.sizes.astype(">u4").tobytes())
        if samples.sync is not None:
            self._sync.append((samples.sync + (self.count + 1)).astype(">u4").tobytes())
        self._add_chunks(entry, samples)
        self.count += count
        self._last_time, self._last_duration = int(times[-1]), max(1, last_duration)

    def _add_chunks(self, entry: bytes, samples: Samples) -> None:
        description = self._entries.setdefault(entry, len(self._entries) + 1)
        is_apart = samples.offsets[1:] != samples.offsets[:-1] + samples.sizes[:-1]
        starts = np.concatenate(([0], np.flatnonzero(is_apart) + 1))
        lengths = np.diff(np.concatenate((starts, [len(samples.offsets)])))
        self._chunk_offsets.append(samples.offsets[starts])
        self._chunks.add(lengths << 16 | description)  # both fit: a file has few entries and runs are short

    def boxes(self) -> list[bytes]:
        """Everything of `stbl` but the chunk offsets. To be called once."""
        self._deltas.add(np.array([self._last_duration], np.int64))
        parts = [full_box(b"stsd", 0, 0, struct.pack(">I", len(self._entries)), *self._entries)]
        parts.append(_pairs(b"stts", *self._deltas.joined()))
        counts, cts = self._cts.joined()
        if cts.any() or len(cts) > 1:
            parts.append(_pairs(b"ctts", counts, cts + self.cts_shift))
        sync_bytes = sum(map(len, self._sync))
        if self._sync and sync_bytes < 4 * self.count:
            parts += long_box(b"stss", [bytes(4) + struct.pack(">I", sync_bytes // 4), *self._sync])
        parts += long_box(b"stsz", [bytes(4) + struct.pack(">II", 0, self.count), *self._sizes])
        parts.append(self._stsc())
        return parts

    def chunk_offsets(self, is_long: bool) -> ChunkOffsets:
        """The missing box, whose size is known while its values wait for the offset of the first media byte."""
        return ChunkOffsets(self._chunk_offsets, is_long)

    def _stsc(self) -> bytes:
        counts, packed = self._chunks.joined()
        firsts = np.concatenate(([1], np.cumsum(counts)[:-1] + 1))
        table = np.stack((firsts, packed >> 16, packed & 0xFFFF), axis=1).astype(">u4").tobytes()
        return full_box(b"stsc", 0, 0, struct.pack(">I", len(packed)), table)


class ChunkOffsets:
    """`stco`, or `co64` where `is_long`, once the place of the media is known."""

    def __init__(self, parts: list[Int64], is_long: bool) -> None:
        self._parts = parts
        self._count = sum(map(len, parts))
        self._kind, self._type = (b"co64", ">u8") if is_long else (b"stco", ">u4")

    @property
    def size(self) -> int:
        return 16 + self._count * np.dtype(self._type).itemsize

    def box(self, media_offset: int) -> list[bytes]:
        tables = ((part + media_offset).astype(self._type).tobytes() for part in self._parts)
        return long_box(self._kind, [bytes(4) + struct.pack(">I", self._count), *tables])


def long_box(kind: bytes, payload: list[bytes]) -> list[bytes]:
    """A box as its parts, for what is too big to copy from box to box."""
    return [struct.pack(">I4s", 8 + sum(map(len, payload)), kind), *payload]


def _pairs(kind: bytes, counts: Int64, values: Int64) -> bytes:
    table = np.stack((counts, values), axis=1).astype(">u4").tobytes()
    return full_box(kind, 0, 0, struct.pack(">I", len(counts)), table)

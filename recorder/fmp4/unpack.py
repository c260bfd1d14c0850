"""Reads the tables of a sample index back into parallel arrays, with numpy: a day's clip unpacks 1440 of them.

Loaded only where an index is read (media, rebuild), so capture, which writes them, carries no numpy. Whatever the
tables say, the result lies inside the media or is a `ValueError`.
"""

from __future__ import annotations

import struct
from array import array

import numpy as np

from .samples import MAX_SAMPLES, TrackSamples

TRACK_HEAD = struct.Struct(">IIIq")
"""Fragments, samples, sync samples, first decode time."""

_RUN_BYTES = 12
_LIMITS = {"I": 1 << 32, "Q": 1 << 48}
"""Exclusive. Offsets stay far below the range in which sums of a million of them could wrap."""
_ARRAY_TYPES = {"q": np.int64, "I": np.uint32, "i": np.int32, "Q": np.uint64}


def unpack_track(tables: bytes, at: int, media_start: int, media_end: int, timescale: int) -> tuple[TrackSamples, int]:
    """One track and where the next one begins. Raises `ValueError`, `struct.error`."""
    fragments, samples, syncs, first_time = TRACK_HEAD.unpack_from(tables, at)
    if (
        not fragments <= samples <= min(MAX_SAMPLES, media_end - media_start)
        or syncs > samples
        or (samples and not fragments)
        or abs(first_time) >= 1 << 62
    ):
        raise ValueError("impossible counts in the sample index")
    at += TRACK_HEAD.size
    gaps, at = unpack_column(tables, at, fragments, "Q")
    headers, at = unpack_column(tables, at, fragments, "I")
    counts, at = unpack_column(tables, at, fragments, "I")
    sizes, at = unpack_column(tables, at, samples, "I")
    durations, at = unpack_column(tables, at, samples, "I")
    zigzag, at = unpack_column(tables, at, samples, "I")
    steps, at = unpack_column(tables, at, syncs, "I")
    keyframes = np.cumsum(steps)
    if counts.sum() != samples or (fragments and counts.min() < 1) or (syncs and keyframes[-1] >= samples):
        raise ValueError("impossible counts in the sample index")
    if media_start + int(gaps.sum()) + int(headers.sum()) + int(sizes.sum()) > media_end:
        raise ValueError("the sample index points past the media")
    decode_times = np.full(samples, first_time, np.int64)
    decode_times[1:] += np.cumsum(durations[:-1])
    firsts = np.cumsum(counts) - counts
    before = np.zeros(samples, np.int64)
    before[firsts] = gaps + headers
    offsets = media_start + np.cumsum(before + sizes) - sizes
    fragment_offsets = np.repeat(offsets[firsts] - headers, counts)
    track = TrackSamples(
        timescale,
        decode_times=_array("q", decode_times),
        durations=_array("I", durations),
        cts_offsets=_array("i", (zigzag >> 1) ^ -(zigzag & 1)),
        sizes=_array("I", sizes),
        offsets=_array("Q", offsets),
        fragment_offsets=_array("Q", fragment_offsets),
        keyframes=_array("I", keyframes),
    )
    return track, at


def unpack_column(tables: bytes, at: int, count: int, typecode: str) -> tuple[np.ndarray, int]:
    """`count` numbers as int64 (see `columns.pack_column`) and where the next column begins; `I` below 2**32, `Q` below
    2**48. Raises `ValueError`."""
    width = tables[at] if at < len(tables) else -1
    at += 1
    if width == 0:
        runs = int.from_bytes(tables[at : at + 4], "big")
        at += 4
        if at + runs * _RUN_BYTES > len(tables):
            raise ValueError("a column is cut off")
        values = np.frombuffer(tables, ">u8", runs, at).astype(np.int64)
        repeats = np.frombuffer(tables, ">u4", runs, at + 8 * runs).astype(np.int64)
        if repeats.sum() != count:
            raise ValueError("a column of the wrong length")
        _check(values, typecode)
        return np.repeat(values, repeats), at + runs * _RUN_BYTES
    if width not in (1, 2, 4, 8):
        raise ValueError("a column of an unknown kind")
    end = at + count * width
    if end > len(tables):
        raise ValueError("a column is cut off")
    column = np.frombuffer(tables, f">u{width}", count, at).astype(np.int64)
    _check(column, typecode)
    return column, end


def _check(values: np.ndarray, typecode: str) -> None:
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < _LIMITS[typecode]:
        raise ValueError("a number in the sample index is out of range")


def _array(typecode: str, values: np.ndarray) -> array[int]:
    column: array[int] = array(typecode)
    column.frombytes(values.astype(_ARRAY_TYPES[typecode]).tobytes())
    return column

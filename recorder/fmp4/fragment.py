"""Headers of fragments, `moof` and the start of `mdat` (ISO 14496-12 8.8.4 to 8.8.8). Capture's hot path.

A header is one preformatted `struct.pack`: a video header always has 112 bytes, an audio header 96 and 8 a
sample. `tfdt` has version 1 and counts from the Unix epoch, so a fragment says by itself when it was taken.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from .boxes import full_box
from .init import AUDIO_TRACK, OTHER_SAMPLE_FLAGS, SYNC_SAMPLE_FLAGS, VIDEO_TRACK

VIDEO_HEADER_BYTES = 112
AUDIO_HEADER_BYTES = 96
AUDIO_SAMPLE_BYTES = 8

MAX_AUDIO_SAMPLES = 4096
"""In one fragment; 200 ms of audio has 10 to 20 packets."""

_BASE_IS_MOOF = 0x020000
_VIDEO_TRUN_FLAGS = 0x000F01  # data offset; duration, size, flags and composition offset of each sample
_AUDIO_TRUN_FLAGS = 0x000301  # data offset; duration and size of each sample


def _moof_head(moof_size: int) -> bytes:
    """`moof` and `mfhd` up to the sequence number."""
    return struct.pack(">I4sI4s4x", moof_size, b"moof", 16, b"mfhd")


def _traf_head(moof_size: int, track: int) -> bytes:
    """`traf`, `tfhd` and `tfdt` up to the decode time."""
    tfhd = full_box(b"tfhd", 0, _BASE_IS_MOOF, track.to_bytes(4, "big"))
    return struct.pack(">I4s", moof_size - 24, b"traf") + tfhd + struct.pack(">I4sI", 20, b"tfdt", 1 << 24)


def _trun_head(moof_size: int, version: int, flags: int, count: int) -> bytes:
    """`trun` up to the first sample; the samples begin behind the header of `mdat`."""
    return struct.pack(">I4sIII", moof_size - 68, b"trun", version << 24 | flags, count, moof_size + 8)


_VIDEO_MOOF_BYTES = VIDEO_HEADER_BYTES - 8
VIDEO_HEAD = _moof_head(_VIDEO_MOOF_BYTES)
VIDEO_TRAF = _traf_head(_VIDEO_MOOF_BYTES, VIDEO_TRACK)
VIDEO_TRUN = _trun_head(_VIDEO_MOOF_BYTES, 1, _VIDEO_TRUN_FLAGS, 1)
VIDEO_STRUCT = struct.Struct(f">{len(VIDEO_HEAD)}sI{len(VIDEO_TRAF)}sQ{len(VIDEO_TRUN)}sIIIiI4s")
"""head, sequence, traf, decode time, trun, duration, size, flags, composition offset, mdat size, `mdat`."""

_pack_video = VIDEO_STRUCT.pack


def video_fragment_header(
    sequence: int, decode_time: int, duration: int, size: int, is_keyframe: bool, cts_offset: int
) -> bytes:
    """`moof` and `mdat` header of one frame whose `size` bytes follow. Times in ticks of 90 kHz; `decode_time`
    since the Unix epoch. Raises `struct.error` for what doesn't fit its field."""
    return _pack_video(
        VIDEO_HEAD,
        sequence & 0xFFFFFFFF,
        VIDEO_TRAF,
        decode_time,
        VIDEO_TRUN,
        duration,
        size,
        SYNC_SAMPLE_FLAGS if is_keyframe else OTHER_SAMPLE_FLAGS,
        cts_offset,
        size + 8,
        b"mdat",
    )


def audio_fragment_header(sequence: int, decode_time: int, sizes: Sequence[int], durations: Sequence[int]) -> bytes:
    """`moof` and `mdat` header of some audio samples whose bytes follow one behind the other. Times in ticks of
    the sample rate; `decode_time`, of the first, since the Unix epoch. Raises `ValueError` or `struct.error`."""
    layout, head, traf, trun = audio_layout(len(sizes))
    entries = [0] * (2 * len(sizes))
    entries[::2] = durations
    entries[1::2] = sizes
    return layout.pack(head, sequence & 0xFFFFFFFF, traf, decode_time, trun, *entries, sum(sizes) + 8, b"mdat")


@lru_cache(maxsize=64)
def audio_layout(count: int) -> tuple[struct.Struct, bytes, bytes, bytes]:
    """The whole header of `count` samples, and its constant parts. Raises `ValueError`."""
    if not 0 < count <= MAX_AUDIO_SAMPLES:
        raise ValueError(f"a fragment of {count} audio samples")
    moof_size = AUDIO_HEADER_BYTES - 8 + AUDIO_SAMPLE_BYTES * count
    head, traf = _moof_head(moof_size), _traf_head(moof_size, AUDIO_TRACK)
    trun = _trun_head(moof_size, 0, _AUDIO_TRUN_FLAGS, count)
    layout = struct.Struct(f">{len(head)}sI{len(traf)}sQ{len(trun)}s{2 * count}II4s")
    return layout, head, traf, trun

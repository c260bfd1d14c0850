"""Reads `moof` boxes (ISO 14496-12 8.8.4 to 8.8.12): fast for the layouts of `fragment`, else by the book.

The long way also reads what other writers make (FFmpeg's transcodes): defaults in `tfhd`, several `trun`,
several `traf`. Lengths are never trusted: `ValueError` for whatever doesn't fit.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from . import fragment
from .boxes import Buffer, iter_boxes
from .fragment import AUDIO_HEADER_BYTES, AUDIO_SAMPLE_BYTES, MAX_AUDIO_SAMPLES, VIDEO_HEAD, VIDEO_STRUCT
from .init import AUDIO_TRACK, SYNC_SAMPLE_FLAGS, VIDEO_TRACK

MAX_MOOF_BYTES = 1 << 20
MAX_FRAGMENT_BYTES = 64 << 20
"""An access unit has at most 16 MB (recorder.rtsp); a transcoder's GOP may have more."""
MAX_BARE_SAMPLES = 10_000
"""In a `trun` that spends no bytes on a sample."""

NON_SYNC = 0x00010000
_VIDEO_HEAD_TRAF_TRUN = VIDEO_HEAD, fragment.VIDEO_TRAF, fragment.VIDEO_TRUN


@dataclass(frozen=True, slots=True)
class SampleRun:
    """The samples of one `traf`, one behind the other in the file from `offset` (counted from the `moof`)."""

    track: int
    decode_time: int
    offset: int
    sizes: Sequence[int]
    durations: Sequence[int]
    cts_offsets: Sequence[int]
    sync: Sequence[bool]


def read_fragment(buffer: Buffer, at: int) -> tuple[int, list[SampleRun]] | None:
    """Length of `moof` and `mdat` together, and the runs, of the fragment whose `moof` is at `at`. The `mdat`'s
    payload needn't be in the buffer; None while the `moof` and the header of `mdat` aren't whole. Raises
    `ValueError`."""
    available = len(buffer) - at
    if available < 16:
        return None
    moof_size = int.from_bytes(buffer[at : at + 4], "big")
    if not 24 <= moof_size <= MAX_MOOF_BYTES or buffer[at + 4 : at + 8] != b"moof":
        raise ValueError("no fragment here")
    if available < moof_size + 8:
        return None
    mdat_size = int.from_bytes(buffer[at + moof_size : at + moof_size + 4], "big")
    if buffer[at + moof_size + 4 : at + moof_size + 8] != b"mdat":
        raise ValueError("no mdat behind the moof")
    header = 8
    if mdat_size == 1:
        if available < moof_size + 16:
            return None
        mdat_size = int.from_bytes(buffer[at + moof_size + 8 : at + moof_size + 16], "big")
        header = 16
    length = moof_size + mdat_size
    if mdat_size < header or length > MAX_FRAGMENT_BYTES:
        raise ValueError("the size of mdat is wrong")
    runs = _own_video(buffer, at) or _own_audio(buffer, at, moof_size) or _any(buffer, at, moof_size)
    for run in runs:
        if run.offset < moof_size + header or run.offset + sum(run.sizes) > length:
            raise ValueError("a sample lies outside its fragment")
    return length, runs


def _own_video(buffer: Buffer, at: int) -> list[SampleRun] | None:
    if buffer[at : at + len(VIDEO_HEAD)] != VIDEO_HEAD:
        return None
    head, _, traf, decode_time, trun, duration, size, flags, cts, _, mdat = VIDEO_STRUCT.unpack_from(buffer, at)
    if (head, traf, trun) != _VIDEO_HEAD_TRAF_TRUN or mdat != b"mdat":
        return None
    is_sync = (not flags & NON_SYNC,)
    return [SampleRun(VIDEO_TRACK, decode_time, fragment.VIDEO_HEADER_BYTES, (size,), (duration,), (cts,), is_sync)]


def _own_audio(buffer: Buffer, at: int, moof_size: int) -> list[SampleRun] | None:
    count, rest = divmod(moof_size + 8 - AUDIO_HEADER_BYTES, AUDIO_SAMPLE_BYTES)
    if rest or not 0 < count <= MAX_AUDIO_SAMPLES:
        return None
    layout, head, traf, trun = fragment.audio_layout(count)
    fields = layout.unpack_from(buffer, at)
    if fields[0] != head or fields[2] != traf or fields[4] != trun:
        return None
    durations, sizes = fields[5:-2:2], fields[6:-2:2]
    offset = moof_size + 8
    return [SampleRun(AUDIO_TRACK, fields[3], offset, sizes, durations, (0,) * count, (True,) * count)]


def _any(buffer: Buffer, at: int, moof_size: int) -> list[SampleRun]:
    moof = memoryview(buffer)[at : at + moof_size]
    try:
        runs = []
        behind = 0
        for kind, start, end in iter_boxes(moof, 8, moof_size):
            if kind == b"traf":
                run = _read_traf(moof, start, end, behind)
                behind = run.offset + sum(run.sizes)
                runs.append(run)
        if not runs:
            raise ValueError("a fragment without a track")
        return runs
    except (struct.error, IndexError) as err:
        raise ValueError("a fragment header is cut off") from err
    finally:
        moof.release()


def _read_traf(moof: memoryview, start: int, end: int, behind: int) -> SampleRun:
    track = decode_time = None
    default_duration = default_size = 0
    default_flags = SYNC_SAMPLE_FLAGS
    samples: list[tuple[int, int, int, int]] = []
    offset: int | None = None
    for kind, at, limit in iter_boxes(moof, start, end):
        if limit - at < 8:
            raise ValueError("a box of a track fragment is cut off")
        (word,) = struct.unpack_from(">I", moof, at)
        version, flags = word >> 24, word & 0xFFFFFF
        if kind == b"tfhd":
            (track,) = struct.unpack_from(">I", moof, at + 4)
            if flags & 1:
                raise ValueError("a fragment with an absolute base offset")
            fields = [bit for bit in (0x02, 0x08, 0x10, 0x20) if flags & bit]
            values = dict(zip(fields, struct.unpack_from(f">{len(fields)}I", moof, at + 8), strict=True))
            default_duration = values.get(0x08, 0)
            default_size = values.get(0x10, 0)
            default_flags = values.get(0x20, default_flags)
        elif kind == b"tfdt":
            (decode_time,) = struct.unpack_from(">Q" if version else ">I", moof, at + 4)
        elif kind == b"trun":
            (count,) = struct.unpack_from(">I", moof, at + 4)
            at += 8
            if flags & 1:
                (told,) = struct.unpack_from(">i", moof, at)
                at += 4
                if offset is not None and told != offset + sum(sample[1] for sample in samples):
                    raise ValueError("a track fragment with a hole between its samples")
                offset = told if offset is None else offset
            first_flags = default_flags
            if flags & 4:
                (first_flags,) = struct.unpack_from(">I", moof, at)
                at += 4
            entry = sum(4 for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit)
            if count > (limit - at) // entry if entry else count > MAX_BARE_SAMPLES:
                raise ValueError("a track run with too many samples")
            for index in range(count):
                duration, size, cts = default_duration, default_size, 0
                sample_flags = default_flags if index else first_flags
                if flags & 0x100:
                    (duration,) = struct.unpack_from(">I", moof, at)
                    at += 4
                if flags & 0x200:
                    (size,) = struct.unpack_from(">I", moof, at)
                    at += 4
                if flags & 0x400:
                    (sample_flags,) = struct.unpack_from(">I", moof, at)
                    at += 4
                if flags & 0x800:
                    (cts,) = struct.unpack_from(">i" if version else ">I", moof, at)
                    at += 4
                samples.append((duration, size, sample_flags, cts))
            if len(samples) > MAX_MOOF_BYTES // 4:
                raise ValueError("a fragment with too many samples")
    if track is None or decode_time is None or not samples:
        raise ValueError("a track fragment without tfhd, tfdt or samples")
    durations, sizes, all_flags, offsets = zip(*samples, strict=True)
    sync = tuple(not flags & NON_SYNC for flags in all_flags)
    return SampleRun(track, decode_time, behind if offset is None else offset, sizes, durations, offsets, sync)

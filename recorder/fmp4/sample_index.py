"""The sample index at the end of a finished segment: our `uuid` box, then `mfra` (ISO 14496-12 8.8.9 to 8.8.11).

Capture collects samples in a `SampleIndexBuilder` while it writes and appends `trailer()` at close. A reader
finds it from the end: `mfro` tells the size of `mfra`, and the last 8 bytes before `mfra` are the size of the
`uuid` box and a mark. docs/design/archive-format.md has the layout.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from operator import sub

from .boxes import box, full_box
from .columns import pack_column
from .init import AUDIO_TRACK, VIDEO_TRACK
from .moof import MAX_FRAGMENT_BYTES
from .samples import MAX_SAMPLES, TrackLog, TrackSamples

INDEX_UUID = bytes.fromhex("c6a1d0f30c5e4d0e9a3d6b0f2a7c4e11")
VERSION = 1
FOOTER_MARK = b"hvix"
MFRO_BYTES = 16
MAX_TRAILER_BYTES = 64 << 20

_HEAD = struct.Struct(">16sB3xIQQ")
"""uuid, version, CRC-32 of the tables, media start, media end."""
_TRACK_HEAD = struct.Struct(">IIIq")
"""Fragments, samples, sync samples, first decode time."""
_FOOTER = struct.Struct(">I4s")

_AUDIO_SEEK_TICKS = 16_000
"""Files without video get entries in `mfra` this far apart (2 s of G.711, a third of a second at 48 kHz), not
one for each fragment."""


class SampleIndexBuilder:
    """Collects what was written, in the order of the file. The offsets are those of the file."""

    __slots__ = ("add_audio", "add_video", "audio", "video")

    def __init__(self) -> None:
        self.video = TrackLog()
        self.audio = TrackLog()
        # Bound methods: the call per frame costs one frame less.
        self.add_video = self.video.add_frame
        """(fragment_offset, sample_offset, size, decode_time, duration, cts_offset, is_keyframe)"""
        self.add_audio = self.audio.add_run
        """(fragment_offset, sample_offset, sizes, decode_time, durations)"""

    def trailer(self, media_end: int, media_start: int = 0) -> bytes:
        """What to append at `media_end`, the end of the last fragment: sample index and `mfra`.

        Raises `ValueError` where the samples don't lie in rising order below `media_end`, or a decode time jumps
        by hours; the file is then as good as an open one, and readers walk it."""
        video, audio = self.video.finish(1), self.audio.finish(1)
        if len(video) > MAX_SAMPLES or len(audio) > MAX_SAMPLES:
            raise ValueError("too many samples for one segment")
        try:
            tables = _pack_track(video, media_start, media_end) + _pack_track(audio, media_start, media_end)
        except (OverflowError, struct.error) as err:
            raise ValueError("a value doesn't fit the sample index") from err
        last = max((log.offsets[-1] + log.sizes[-1] for log in (self.video, self.audio) if len(log)), default=0)
        if last and media_end - last > MAX_FRAGMENT_BYTES:
            raise ValueError("media_end isn't the offset in the file where the last fragment ends")
        limits = struct.pack(">QQ", media_start, media_end)
        head = _HEAD.pack(INDEX_UUID, VERSION, zlib.crc32(limits + tables), media_start, media_end)
        size = 8 + len(head) + len(tables) + _FOOTER.size
        return box(b"uuid", head, tables, _FOOTER.pack(size, FOOTER_MARK)) + _random_access(video, audio)


def trailer_length(tail: bytes) -> int | None:
    """How many bytes of the file's end sample index and `mfra` take, from the last bytes of the file (more than
    16 and, to get an answer, all of `mfra` and 8 more); None where there is no trailer of ours, or a negative
    number of bytes where that many are needed from the end to tell."""
    if len(tail) < MFRO_BYTES or tail[-16:-8] != b"\0\0\0\x10mfro":
        return None
    mfra_size = int.from_bytes(tail[-4:], "big")
    if not 8 + MFRO_BYTES <= mfra_size <= MAX_TRAILER_BYTES:
        return None
    footer = len(tail) - mfra_size - _FOOTER.size
    if footer < 0:
        return -(mfra_size + _FOOTER.size)
    index_size, mark = _FOOTER.unpack_from(tail, footer)
    if mark != FOOTER_MARK or index_size > MAX_TRAILER_BYTES:
        return None
    return index_size + mfra_size


def parse_sample_index(
    trailer: bytes, media_start: int, media_end: int, timescales: tuple[int, int]
) -> tuple[TrackSamples, TrackSamples]:
    """Video and audio of a trailer that stands at `media_end`; `timescales` are what they get. Raises
    `ValueError` for anything that `trailer()` didn't write for these limits."""
    size = int.from_bytes(trailer[:4], "big")
    if trailer[4:8] != b"uuid" or not 8 + _HEAD.size + _FOOTER.size <= size <= len(trailer):
        raise ValueError("no sample index")
    name, version, checksum, start, end = _HEAD.unpack_from(trailer, 8)
    tables = trailer[8 + _HEAD.size : size - _FOOTER.size]
    if name != INDEX_UUID or version != VERSION or (end, start or media_start) != (media_end, media_start):
        raise ValueError("no sample index of this file")
    if zlib.crc32(struct.pack(">QQ", start, end) + tables) != checksum:
        raise ValueError("the sample index is damaged")
    from .unpack import unpack_track  # loads numpy, which capture does without

    try:
        video, at = unpack_track(tables, 0, start, end, timescales[0])
        audio, _ = unpack_track(tables, at, start, end, timescales[1])
    except (OverflowError, struct.error, IndexError) as err:
        raise ValueError("the sample index is damaged") from err
    return video, audio


def _pack_track(track: TrackSamples, media_start: int, media_end: int) -> bytes:
    """Columns by fragment: distance to the one before, header length, samples; by sample: size, duration,
    composition offset (zigzag); then distances of sync samples. All of them shrink to runs where they repeat."""
    gaps, headers, counts = [], [], []
    behind = media_start
    first = 0
    offsets, sizes, fragments = track.offsets, track.sizes, track.fragment_offsets
    for index in range(1, len(track) + 1):
        if index < len(track) and fragments[index] == fragments[first]:
            continue
        gaps.append(fragments[first] - behind)
        headers.append(offsets[first] - fragments[first])
        counts.append(index - first)
        behind = offsets[index - 1] + sizes[index - 1]
        first = index
    if behind > media_end or (gaps and (min(gaps) < 0 or min(headers) < 0)):
        raise ValueError("the samples don't lie in rising order in the file")
    zigzag = [offset << 1 if offset >= 0 else (-offset << 1) - 1 for offset in track.cts_offsets]
    steps = list(map(sub, track.keyframes, [0, *track.keyframes]))
    columns = (gaps, headers, counts, sizes, track.durations, zigzag, steps)
    head = _TRACK_HEAD.pack(len(gaps), len(track), len(steps), track.decode_times[0] if len(track) else 0)
    return head + b"".join(map(pack_column, columns))


def _random_access(video: TrackSamples, audio: TrackSamples) -> bytes:
    tables = []
    if len(video):
        tables.append(_seek_table(VIDEO_TRACK, video, video.keyframes))
    elif len(audio):
        tables.append(_seek_table(AUDIO_TRACK, audio, _spaced_fragments(audio)))
    size = 8 + sum(map(len, tables)) + MFRO_BYTES
    return box(b"mfra", *tables, full_box(b"mfro", 0, 0, size.to_bytes(4, "big")))


def _spaced_fragments(audio: TrackSamples) -> list[int]:
    picked, due = [], audio.decode_times[0]
    before = -1
    for index, (time, fragment) in enumerate(zip(audio.decode_times, audio.fragment_offsets, strict=True)):
        if fragment != before and time >= due:
            picked.append(index)
            due = time + _AUDIO_SEEK_TICKS
        before = fragment
    return picked


def _seek_table(track: int, samples: TrackSamples, indices: Sequence[int]) -> bytes:
    """`tfra` with 64-bit times (of presentation) and offsets; numbers of traf, trun and sample in a byte each."""
    entries = b"".join(
        struct.pack(
            ">QQBBB",
            max(0, samples.decode_times[index] + samples.cts_offsets[index]),
            samples.fragment_offsets[index],
            1,
            1,
            1,
        )
        for index in indices
    )
    return full_box(b"tfra", 1, 0, struct.pack(">III", track, 0, len(indices)), entries)

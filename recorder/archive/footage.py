"""The samples that show a span, file by file: what spans, clips, playlists and pictures are all cut from.

A *piece* is a range of samples of one file, in decoding order, that begins at a keyframe. Pieces that follow each other
without a hole and with the same parameters are *joined*: a decoder may run from one into the next. A file is always one
unbroken run (capture closes it when the run ends), so holes lie only between files. Pieces come one at a
time, so a day costs the memory of one file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.archive import seek
from recorder.archive.catalog import Catalog, SegmentRef
from recorder.archive.indexes import IndexedSegment
from recorder.fmp4 import SegmentIndex, TrackSamples

HOLE_MS = 100
"""A file that starts later than this (or than half a frame interval, if that is longer) after the predicted end of
the one before it doesn't continue it. Sane: 50 to 1000; below 200, from where gaps are put on record."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples `[first, stop)` of `segment.video`; `first` is a keyframe."""

    segment: IndexedSegment
    ref: SegmentRef
    first: int
    stop: int
    limit_ms: int | None
    """Frames shown from here (UTC ms) on aren't part of it, though some of them may be needed to decode those that
    are; None where it reaches the end of its file."""
    is_joined: bool
    """Continues the piece before it without a hole, with the same parameters."""

    @property
    def path(self) -> Path:
        return self.segment.path

    @property
    def index(self) -> SegmentIndex:
        return self.segment.index

    @property
    def video(self) -> TrackSamples:
        return self.segment.video

    @property
    def is_whole(self) -> bool:
        """Whether it reaches the end of its file."""
        return self.stop == len(self.video.sizes)

    @property
    def start_ms(self) -> int:
        """UTC ms of its keyframe, rounded down."""
        return seek.presentation_ms(self.video, self.first)

    @property
    def end_ticks(self) -> int:
        """UTC ticks of the video at which its last shown frame ends."""
        return seek.shown_end_ticks(self.video, self.first, self.stop, self.limit_ms)


def read_pieces(catalog: Catalog, camera: str, stream: str, start_ms: int, end_ms: int) -> Iterator[Piece]:
    """Pieces that show `[start_ms, end_ms)`, rising; the first begins at the keyframe at or before `start_ms` where
    that instant is recorded. Raises `FootageGone` where a file vanishes, `ValueError` for names that can't be."""
    last: Piece | None = None
    for ref in catalog.iter_segments(camera, stream, start_ms, end_ms):
        segment = catalog.indexed(ref)
        if segment is None:
            continue
        piece = _cut(segment, ref, start_ms, end_ms, last)
        if piece is not None:
            yield piece
            last = piece


def _cut(segment: IndexedSegment, ref: SegmentRef, start_ms: int, end_ms: int, last: Piece | None) -> Piece | None:
    video = segment.video
    first = seek.keyframe_at_or_before(video, max(start_ms, ref.start_ms))
    until_ms = min(end_ms, ref.end_ms) if ref.is_cut_at_end else end_ms
    limit_ms = until_ms if until_ms < segment.end_ms else None
    stop = len(video) if limit_ms is None else seek.stop_before(video, limit_ms)
    if stop <= first:
        return None
    is_joined = last is not None and first == video.keyframes[0] == 0 and continues(last, segment)
    return Piece(segment, ref, first, stop, limit_ms, is_joined)


def continues(last: Piece, segment: IndexedSegment) -> bool:
    """Whether `segment` goes on where `last` ends: same parameters, later decode times, no hole."""
    before, after = last.video, segment.video
    if last.index.init != segment.index.init or before.timescale != after.timescale:
        return False
    end = last.stop - 1
    start = after.decode_times[after.keyframes[0]]
    interval = before.durations[end]
    missing = start - before.decode_times[end] - interval
    return start > before.decode_times[end] and missing <= max(interval // 2, HOLE_MS * before.timescale // 1000)


def piece_bytes(piece: Piece, *, with_audio: bool = True) -> tuple[int, int]:
    """Byte range `[start, end)` of its file that holds the piece as whole fragments: from the `moof` of its
    keyframe, or from the file's first one where it is joined.

    With audio it takes in the audio fragments between the last frame and the next one: capture writes audio a little
    after the video it belongs to."""
    video = piece.video
    start = len(piece.index.init) if piece.is_joined and with_audio else video.fragment_offsets[piece.first]
    end = video.offsets[piece.stop - 1] + video.sizes[piece.stop - 1]
    audio = piece.index.audio
    if not with_audio or audio is None or not len(audio.sizes):
        return start, end
    following = video.fragment_offsets[piece.stop] if not piece.is_whole else None
    for index in range(bisect_left(audio.fragment_offsets, end), len(audio.sizes)):
        if following is not None and audio.fragment_offsets[index] >= following:
            break
        end = audio.offsets[index] + audio.sizes[index]
    return start, end

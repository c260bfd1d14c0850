"""A span as the browser's player takes it: the init segment and then fragments as they were recorded.

Served raw by the media service. A span ends where the player has to start anew: at a hole, where the parameters
change, or at `LONGEST_SPAN_MS`; it says where the next one begins. Fragments carry absolute UTC, so nothing is
patched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from recorder.archive import seek
from recorder.archive.body import Body, FileRange, join_ranges
from recorder.archive.catalog import Catalog
from recorder.archive.exceptions import NoFootage
from recorder.archive.footage import Piece, piece_bytes, read_pieces
from recorder.archive.indexes import IndexedSegment
from recorder.fmp4 import build_init
from recorder.samples import AudioParameters, VideoParameters

LONGEST_SPAN_MS = 3_600_000
"""A longer span is cut here; bounds the ranges in memory (without audio: one per frame). Sane: minutes to hours."""


class SpanEnd(StrEnum):
    """Why a span ends where it does."""

    TO = "to"
    HOLE = "hole"
    """Also where nothing later is recorded yet."""
    PARAMETERS = "parameters"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Span:
    body: Body
    """Init segment, then fragments in decoding order."""
    video: VideoParameters
    audio: AudioParameters | None
    """None also where audio was left out."""
    start_ms: int
    """UTC ms of the first frame; at or before the `from` asked for, except where that isn't recorded."""
    end_ms: int
    """UTC ms, exclusive: what was asked for, or less where the footage ends."""
    next_ms: int | None
    """UTC ms from which to ask for more; None where nothing later is recorded (yet)."""
    end: SpanEnd


def read_span(
    catalog: Catalog,
    camera: str,
    stream: str,
    from_ms: int,
    to_ms: int,
    *,
    keyframes_only: bool = False,
    with_audio: bool = True,
) -> Span:
    """The first unbroken part of `[from_ms, to_ms)`, from the keyframe at or before `from_ms`.

    `keyframes_only` is for fast forward and reverse: whole fragments of keyframes, no audio. Raises `NoFootage`,
    `FootageGone`, `ValueError` (names that can't be)."""
    limit_ms = min(to_ms, from_ms + LONGEST_SPAN_MS)
    run: list[Piece] = []
    following: Piece | None = None
    for piece in read_pieces(catalog, camera, stream, from_ms, limit_ms):
        if run and not piece.is_joined:
            following = piece
            break
        run.append(piece)
    if not run:
        raise NoFootage(catalog.nearest(camera, stream, from_ms))
    with_audio = with_audio and not keyframes_only
    end_ms = run[-1].segment.end_ms if run[-1].limit_ms is None else run[-1].limit_ms
    next_ms: int | None
    if following is not None:
        has_changed = following.index.init != run[-1].index.init
        end, next_ms = (SpanEnd.PARAMETERS if has_changed else SpanEnd.HOLE), max(following.start_ms, end_ms)
    elif end_ms < limit_ms or limit_ms == to_ms:
        end = SpanEnd.TO if end_ms == to_ms else SpanEnd.HOLE
        next_ms = _next_start(catalog, camera, stream, end_ms)
    else:
        end, next_ms = SpanEnd.LIMIT, end_ms
    first = run[0].segment
    init = first.index.init if with_audio else silent_init(first)
    ranges = join_ranges(part for piece in run for part in _ranges(piece, keyframes_only, with_audio))
    return Span(
        body=Body([init, *ranges]),
        video=first.video_parameters,
        audio=first.audio_parameters if with_audio else None,
        start_ms=run[0].start_ms,
        end_ms=end_ms,
        next_ms=next_ms,
        end=end,
    )


def video_only(segment: IndexedSegment) -> tuple[bytes, Body]:
    """A whole segment as if it had been recorded without audio, and its init segment (the body's first bytes).

    For players that can't take the audio (HLS and G.711). Offsets in it are those of `video_only_offsets`."""
    init = silent_init(segment)
    return init, Body([init, *join_ranges(_video_fragments(segment, range(len(segment.video.sizes))))])


def video_only_offsets(segment: IndexedSegment) -> tuple[bytes, list[int]]:
    """The init segment of `video_only`, and where each video sample's fragment begins in it, with the end appended."""
    init = silent_init(segment)
    video, offsets = segment.video, [len(init)]
    for index in range(len(video.sizes)):
        offsets.append(offsets[-1] + video.offsets[index] + video.sizes[index] - video.fragment_offsets[index])
    return init, offsets


def silent_init(segment: IndexedSegment) -> bytes:
    """The init segment of its video track alone."""
    if segment.index.audio is None:
        return segment.index.init
    return build_init(segment.video_parameters, None)


def _ranges(piece: Piece, keyframes_only: bool, with_audio: bool) -> Iterator[FileRange]:
    if keyframes_only:
        chosen = [index for index in piece.video.keyframes if piece.first <= index < piece.stop]
        yield from _video_fragments(piece.segment, chosen)
    elif piece.index.audio is None or with_audio:
        start, end = piece_bytes(piece, with_audio=with_audio)
        yield FileRange(piece.path, start, end - start)
    else:
        yield from _video_fragments(piece.segment, range(piece.first, piece.stop))


def _video_fragments(segment: IndexedSegment, samples: range | list[int]) -> Iterator[FileRange]:
    video = segment.video
    for index in samples:
        start = video.fragment_offsets[index]
        yield FileRange(segment.path, start, video.offsets[index] + video.sizes[index] - start)


def _next_start(catalog: Catalog, camera: str, stream: str, at_ms: int) -> int | None:
    """Where footage goes on at or after `at_ms`."""
    here = catalog.segments(camera, stream, at_ms, at_ms + 1)
    if here:
        segment = catalog.indexed(here[0])
        if segment is not None and seek.last_shown_ms(segment.video) >= at_ms:
            return at_ms
    return catalog.nearest(camera, stream, at_ms - 1)[1]

"""The bytes that one picture is decoded from: for snapshots, made by a decoder in a child process.

Init segment, then the fragments from the keyframe to the wanted frame. Decode all of it, flush, and keep the picture
with the presentation time `ticks`; it is number `output_index` of those that come out.
"""

from __future__ import annotations

from dataclasses import dataclass

from recorder.archive import seek
from recorder.archive.body import Body, FileRange, join_ranges
from recorder.archive.catalog import Catalog
from recorder.archive.exceptions import NoFootage
from recorder.archive.footage import Piece, read_pieces
from recorder.archive.span import silent_init
from recorder.samples import VideoParameters


@dataclass(frozen=True, slots=True)
class FrameSource:
    body: Body
    video: VideoParameters
    shown_ms: int
    """UTC ms from which the frame is shown, rounded down."""
    ticks: int
    """Its presentation time in ticks of the track (90 kHz), UTC."""
    output_index: int
    """How many pictures the decoder gives before it."""


def find_frame(catalog: Catalog, camera: str, stream: str, at_ms: int | None = None) -> FrameSource:
    """The frame on the screen at `at_ms` (UTC), or the newest one. Raises `NoFootage`, `FootageGone`, `ValueError`."""
    if at_ms is None:
        bounds = catalog.bounds(camera, stream)
        if bounds is None:
            raise NoFootage
        at_ms = bounds[1] - 1
    piece = next(read_pieces(catalog, camera, stream, at_ms, at_ms + 1), None)
    frame = seek.frame_shown_at(piece.video, at_ms) if piece is not None else None
    if piece is None or frame is None or frame < piece.first:
        raise NoFootage(catalog.nearest(camera, stream, at_ms))
    return _source(piece, frame)


def _source(piece: Piece, frame: int) -> FrameSource:
    video = piece.video
    key_ticks = seek.presentation_ticks(video, piece.first)
    ticks = seek.presentation_ticks(video, frame)
    # Frames shown before the keyframe (leading pictures of an open GOP) lean on the GOP before and are no help here.
    needed = [
        index
        for index in range(piece.first, frame + 1)
        if index == piece.first or seek.presentation_ticks(video, index) > key_ticks
    ]
    ranges = join_ranges(
        FileRange(
            piece.path,
            video.fragment_offsets[index],
            video.offsets[index] + video.sizes[index] - video.fragment_offsets[index],
        )
        for index in needed
    )
    segment = piece.segment
    before = sum(seek.presentation_ticks(video, index) < ticks for index in needed)
    return FrameSource(
        body=Body([silent_init(segment), *ranges]),
        video=segment.video_parameters,
        shown_ms=seek.presentation_ms(video, frame),
        ticks=ticks,
        output_index=before,
    )

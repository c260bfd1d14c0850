"""HLS media playlist of a span: fMP4 byte ranges of the segment files as they lie on the disk (RFC 8216).

Served by the media service next to `s/<start_ms>-<epoch>.mp4`, the files themselves. A span in the past is a VOD; one
that reaches into the future is an EVENT that only ever grows: what was announced stays as it was, so the open file
contributes whole entries only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorder.archive import seek
from recorder.archive.catalog import Catalog
from recorder.archive.exceptions import NoFootage, iso_utc
from recorder.archive.footage import Piece, piece_bytes, read_pieces
from recorder.archive.span import video_only_offsets

ENTRY_S = 6.0
"""Shortest entry, cut at the next keyframe; what a seek has to load. RFC 8216 players expect 2 to 10."""
LONG_SPAN_MS = 6 * 3_600_000
"""Beyond it an entry is a whole file, so that the playlist of a day stays under 200 kB."""
SHORTEST_S = 0.001
"""FFmpeg takes nothing shorter for a duration."""
EVENT_MARGIN_S = 6
"""How much longer than `ENTRY_S` entries of an EVENT may get: its target duration must be right for entries to come."""


@dataclass(frozen=True, slots=True)
class _Entry:
    duration_s: float
    start: int
    length: int


def build_playlist(
    catalog: Catalog,
    camera: str,
    stream: str,
    from_ms: int,
    to_ms: int,
    *,
    now_ms: int,
    with_audio: bool = True,
) -> str:
    """Text of the playlist, URIs relative to it: `s/<start_ms>-<epoch>.mp4`, with `?audio=0` where the file has audio
    that is left out (asked for, or because it isn't AAC: HLS carries no G.711). Serve those from `span.video_only`.

    Begins with the keyframe at or before `from_ms`. Raises `NoFootage`, `FootageGone`, `ValueError`."""
    is_event = to_ms > now_ms
    entry_s = ENTRY_S if to_ms - from_ms <= LONG_SPAN_MS else math.inf
    lines: list[str] = []
    durations: list[float] = []
    first_ms: int | None = None
    map_init: bytes | None = None
    pieces = read_pieces(catalog, camera, stream, from_ms, to_ms)
    for piece, is_last in _with_last(pieces):
        audio = piece.segment.audio_parameters
        is_silenced = piece.index.audio is not None and not (with_audio and audio and audio.codec == "aac")
        uri = f"s/{piece.ref.named_ms}-{piece.ref.epoch}.mp4{'?audio=0' if is_silenced else ''}"
        init, entries = _entries(
            piece, entry_s, is_silenced, may_grow=is_event and is_last and not piece.index.is_complete
        )
        if not entries:
            continue
        if durations and not piece.is_joined:
            lines.append("#EXT-X-DISCONTINUITY")
        if init != map_init:
            lines.append(f'#EXT-X-MAP:URI="{uri}",BYTERANGE="{len(init)}@0"')
            map_init = init
        first_ms = piece.start_ms if first_ms is None else first_ms
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso_utc(piece.start_ms)}")
        for entry in entries:
            lines += [
                f"#EXTINF:{entry.duration_s:.5f},",
                f"#EXT-X-BYTERANGE:{entry.length}@{entry.start}",
                uri,
            ]
            durations.append(entry.duration_s)
    if first_ms is None:
        raise NoFootage(catalog.nearest(camera, stream, from_ms))
    target_s = max(1, math.ceil(max(durations)))
    if is_event:
        target_s = max(target_s, int(ENTRY_S) + EVENT_MARGIN_S)
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if is_event else 'VOD'}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    if from_ms > first_ms:
        head.append(f"#EXT-X-START:TIME-OFFSET={(from_ms - first_ms) / 1000:.3f},PRECISE=YES")
    tail = [] if is_event else ["#EXT-X-ENDLIST"]
    return "\n".join([*head, *lines, *tail]) + "\n"


def _with_last(pieces: Iterator[Piece]) -> Iterator[tuple[Piece, bool]]:
    """Each piece and whether it is the last one; only the last file grows, an open one before it is a torso."""
    piece = next(pieces, None)
    while piece is not None:
        following = next(pieces, None)
        yield piece, following is None
        piece = following


def _entries(piece: Piece, entry_s: float, is_silenced: bool, *, may_grow: bool) -> tuple[bytes, list[_Entry]]:
    """The init segment to play them with and the entries of one piece."""
    video = piece.video
    offsets: Sequence[int]
    if is_silenced:
        init, offsets = video_only_offsets(piece.segment)
        start, end = offsets[piece.first], offsets[piece.stop]
    else:
        init, offsets = piece.index.init, video.fragment_offsets
        start, end = piece_bytes(piece)
    entries: list[_Entry] = []
    at = piece.first
    for cut in _cuts(piece, entry_s):
        ticks = seek.presentation_ticks(video, cut) - seek.presentation_ticks(video, at)
        entries.append(_Entry(ticks / video.timescale, start, offsets[cut] - start))
        at, start = cut, offsets[cut]
    if not (may_grow and piece.is_whole):
        ticks = piece.end_ticks - seek.presentation_ticks(video, at)
        entries.append(_Entry(max(ticks / video.timescale, SHORTEST_S), start, end - start))
    return init, entries


def _cuts(piece: Piece, entry_s: float) -> Iterator[int]:
    """Keyframes at which an entry begins, after the first one; always the same ones for a growing file.

    A keyframe that is shown from the span's end on, and is only there for B-frames before it, begins none."""
    if entry_s == math.inf:
        return
    video = piece.video
    least, end = int(entry_s * video.timescale), piece.end_ticks
    begin = seek.presentation_ticks(video, piece.first)
    for index in video.keyframes:
        shown = seek.presentation_ticks(video, index)
        if piece.first < index < piece.stop and shown - begin >= least and shown < end:
            yield index
            begin = shown

"""`ftyp` and `moov` of a plain MP4 around finished sample tables (ISO 14496-12 clauses 4.3 and 8).

Used by clip.py alone. Pure: tables in, bytes out.
"""

from __future__ import annotations

import json
import struct
import uuid
from dataclasses import dataclass, field

from recorder.archive.sample_table import SampleTable, long_box
from recorder.fmp4.boxes import box, full_box

MAC_EPOCH_S = 2_082_844_800
"""Seconds from 1904, where MP4 counts from, to 1970 (ISO 14496-12 8.2.2)."""
NOTE_UUID = uuid.UUID("c1a7f7a0-52a5-4d0b-9f0c-9a1de0a1f3b5")
"""Type of the box that says which camera and instants a clip holds, as JSON."""
MDAT_HEADER_BYTES = 16
"""Always the long form, for a clip may pass 4 GB."""
LONG_OFFSETS_BYTES = 1 << 31
"""From this length of the media on chunk offsets have 64 bits; well below 4 GB, for `moov` comes before it."""
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


@dataclass(slots=True)
class Track:
    """One track; times in its own timescale unless named otherwise."""

    handler: bytes
    """`vide` or `soun`."""
    timescale: int
    size_px: tuple[int, int] = (0, 0)
    table: SampleTable = field(default_factory=SampleTable)
    delay: int = 0
    """Movie time at which its first sample is shown, in movie ticks."""
    media_time: int = 0
    """Composition time of the first sample shown."""
    duration: int = 0
    """How long it is shown from there, in movie ticks."""


def build_head(
    tracks: list[Track], timescale: int, start_s: int, note: dict[str, object], media_bytes: int
) -> list[bytes]:
    """All bytes before the first media byte, in parts: `ftyp`, `moov`, a `uuid` note and the header of the one
    `mdat`.

    `start_s` is the UTC second that becomes creation_time, `media_bytes` the length of the media."""
    ftyp = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isom", b"iso2", b"mp41")
    note_box = box(b"uuid", NOTE_UUID.bytes, json.dumps(note, separators=(",", ":")).encode())
    created = struct.pack(">QQ", start_s + MAC_EPOCH_S, start_s + MAC_EPOCH_S)
    tables = [track.table.boxes() for track in tracks]
    offsets = [track.table.chunk_offsets(media_bytes >= LONG_OFFSETS_BYTES) for track in tracks]

    def moov(media_offset: int | None) -> list[bytes]:
        """Without the chunk offsets while the offset isn't known."""
        boxes = [_mvhd(tracks, timescale, created)]
        for number, (track, table, chunks) in enumerate(zip(tracks, tables, offsets, strict=True), 1):
            chunk_box = [] if media_offset is None else chunks.box(media_offset)
            boxes += _trak(number, track, created, [*table, *chunk_box])
        return long_box(b"moov", boxes)

    # The length doesn't depend on the values of the offsets, so it is had without them.
    moov_bytes = sum(map(len, moov(None))) + sum(chunks.size for chunks in offsets)
    media_offset = len(ftyp) + moov_bytes + len(note_box) + MDAT_HEADER_BYTES
    mdat = struct.pack(">I4sQ", 1, b"mdat", media_bytes + MDAT_HEADER_BYTES)
    return [ftyp, *moov(media_offset), note_box, mdat]


def _mvhd(tracks: list[Track], timescale: int, created: bytes) -> bytes:
    total = max(track.delay + track.duration for track in tracks)
    rate_and_volume = struct.pack(">IH10x", 0x10000, 0x0100)
    times = struct.pack(">IQ", timescale, total)
    next_track = struct.pack(">I", len(tracks) + 1)
    return full_box(b"mvhd", 1, 0, created, times, rate_and_volume, _MATRIX, bytes(24), next_track)


def _trak(number: int, track: Track, created: bytes, table: list[bytes]) -> list[bytes]:
    is_video = track.handler == b"vide"
    tkhd = full_box(
        b"tkhd",
        1,
        3,  # enabled, in movie
        created,
        struct.pack(">I4xQ8x", number, track.delay + track.duration),
        struct.pack(">HHHH", 0, 0, 0 if is_video else 0x0100, 0),
        _MATRIX,
        struct.pack(">II", track.size_px[0] << 16, track.size_px[1] << 16),
    )
    edits = [struct.pack(">QqHH", track.duration, track.media_time, 1, 0)]
    if track.delay:
        edits.insert(0, struct.pack(">QqHH", track.delay, -1, 1, 0))
    edts = box(b"edts", full_box(b"elst", 1, 0, struct.pack(">I", len(edits)), *edits))
    mdhd = full_box(
        b"mdhd", 1, 0, created, struct.pack(">IQHH", track.timescale, track.table.duration, 0x55C4, 0)
    )  # language: und
    name = b"VideoHandler\0" if is_video else b"SoundHandler\0"
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), track.handler, bytes(12), name)
    header = full_box(b"vmhd", 0, 1, bytes(8)) if is_video else full_box(b"smhd", 0, 0, bytes(4))
    dinf = box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1)))
    minf = long_box(b"minf", [header, dinf, *long_box(b"stbl", table)])
    return long_box(b"trak", [tkhd, edts, *long_box(b"mdia", [mdhd, hdlr, *minf])])

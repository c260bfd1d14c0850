"""The init segment of a fragmented file, `ftyp` and `moov` (ISO 14496-12 8.2 and 8.8), made and read back.

Capture writes it at the start of every segment; media sends it before fragments; readers learn the tracks from
it. It holds no times, so equal parameters make equal bytes.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters, VideoParameters

from .boxes import Buffer, box, find_box, full_box, iter_boxes
from .sample_entries import audio_sample_entry, parse_audio_entry, parse_video_entry, video_sample_entry

VIDEO_TRACK, AUDIO_TRACK = 1, 2

SYNC_SAMPLE_FLAGS = 0x02000000
"""sample_depends_on = 2: on none (8.8.3.1)."""
OTHER_SAMPLE_FLAGS = 0x01010000
"""sample_depends_on = 1, sample_is_non_sync_sample."""

MAX_INIT_BYTES = 1 << 20
"""Ours have about 700 bytes; many big parameter sets can make it tens of kilobytes."""

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_MOVIE_TIMESCALE = 1000

_CLAIMS = bytes.fromhex("8f0d0d6c5bd24d6fb4b55a5be5b0a101")
"""`uuid` box in the video track: what a source told that the parameter sets may not say."""
_CLAIMS_STRUCT = struct.Struct(">16sBBd")


def file_type_box() -> bytes:
    """`iso6` for signed composition offsets and base-is-moof (ISO 14496-12 annex E)."""
    return box(b"ftyp", b"iso6", (0).to_bytes(4, "big"), b"iso6", b"iso5", b"mp41")


def build_init(video: VideoParameters | None, audio: AudioParameters | None) -> bytes:
    """Track 1 is the video, track 2 the audio. Raises `ValueError` for parameters no MP4 can hold."""
    traks, trexs, highest = [], [], 0
    if video is not None:
        size = video.width_px, video.height_px
        claims = box(b"uuid", _CLAIMS_STRUCT.pack(_CLAIMS, 1, video.reorder_depth, video.frame_rate or 0.0))
        media = _media(VIDEO_CLOCK_HZ, b"vide", full_box(b"vmhd", 0, 1, bytes(8)), video_sample_entry(video))
        traks.append(box(b"trak", _track_header(VIDEO_TRACK, 0, *size), media, claims))
        trexs.append(_trex(VIDEO_TRACK, OTHER_SAMPLE_FLAGS))
        highest = VIDEO_TRACK
    if audio is not None:
        if not 0 < audio.sample_rate_hz <= 0xFFFFFFFF or not 0 < audio.channels <= 0xFFFF:
            raise ValueError("no usable sample rate or channel count")
        header = full_box(b"smhd", 0, 0, bytes(4))
        media = _media(audio.sample_rate_hz, b"soun", header, audio_sample_entry(audio))
        traks.append(box(b"trak", _track_header(AUDIO_TRACK, 0x0100, 0, 0), media))
        trexs.append(_trex(AUDIO_TRACK, SYNC_SAMPLE_FLAGS))
        highest = AUDIO_TRACK
    if not traks:
        raise ValueError("a file needs a track")
    mvhd = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, _MOVIE_TIMESCALE, 0, 0x10000, 0x0100),
        _MATRIX,
        bytes(24),
        (highest + 1).to_bytes(4, "big"),
    )
    return file_type_box() + box(b"moov", mvhd, *traks, box(b"mvex", *trexs))


def parse_init(source: Buffer) -> tuple[VideoParameters | None, AudioParameters | None]:
    """The first video and the first audio track. Raises `ValueError` for anything but `ftyp` and `moov`."""
    source = bytes(source)
    moov = find_box(source, 0, len(source), b"moov")
    video: VideoParameters | None = None
    audio: AudioParameters | None = None
    for start, end in _tracks(source, moov):
        handler, timescale = _handler(source, start, end)
        path = (b"mdia", b"minf", b"stbl", b"stsd")
        entries, entries_end = find_box(source, start, end, *path)
        for kind, entry, entry_end in iter_boxes(source, entries + 8, entries_end):
            if handler == b"vide" and video is None:
                video = parse_video_entry(kind, source, entry, entry_end)
                if video is not None:
                    video = _with_claims(video, source, start, end)
            elif handler == b"soun" and audio is None:
                audio = parse_audio_entry(kind, source, entry, entry_end, timescale)
            break
    return video, audio


def read_timescales(init: Buffer) -> dict[int, tuple[bytes, int]]:
    """Handler type and timescale by track id, without looking at the codecs. Raises `ValueError`."""
    found = {}
    moov = find_box(init, 0, len(init), b"moov")
    for start, end in _tracks(init, moov):
        header, _ = find_box(init, start, end, b"tkhd")
        at = header + (20 if init[header] == 1 else 12)
        found[int.from_bytes(init[at : at + 4], "big")] = _handler(init, start, end)
    return found


def init_length(head: Buffer) -> int | None:
    """Where the media begins, from the first bytes of a file; None while they are too few.

    Raises `ValueError` where the file doesn't begin with `ftyp` and `moov`."""
    position = 0
    for wanted in (b"ftyp", b"moov"):
        if len(head) < position + 8:
            return None
        size = int.from_bytes(head[position : position + 4], "big")
        if bytes(head[position + 4 : position + 8]) != wanted or size < 8:
            raise ValueError("the file doesn't begin with ftyp and moov")
        position += size
        if position > MAX_INIT_BYTES:
            raise ValueError("the init segment is too long")
    return position


def _tracks(source: Buffer, moov: tuple[int, int]) -> list[tuple[int, int]]:
    return [(start, end) for kind, start, end in iter_boxes(source, *moov) if kind == b"trak"]


def _handler(source: Buffer, start: int, end: int) -> tuple[bytes, int]:
    mdia = find_box(source, start, end, b"mdia")
    handler, handler_end = find_box(source, *mdia, b"hdlr")
    header, header_end = find_box(source, *mdia, b"mdhd")
    if handler_end - handler < 12 or header_end - header < 24:
        raise ValueError("a media header is cut off")
    at = header + (20 if source[header] == 1 else 12)
    timescale = int.from_bytes(source[at : at + 4], "big")
    if not timescale:
        raise ValueError("a timescale of 0")
    return bytes(source[handler + 8 : handler + 12]), timescale


def _with_claims(video: VideoParameters, source: bytes, start: int, end: int) -> VideoParameters:
    for kind, inner, inner_end in iter_boxes(source, start, end):
        if kind == b"uuid" and inner_end - inner == _CLAIMS_STRUCT.size:
            name, version, depth, rate = _CLAIMS_STRUCT.unpack_from(source, inner)
            if name == _CLAIMS and version == 1:
                return replace(video, reorder_depth=depth, frame_rate=rate if 0 < rate < 1e6 else None)
    return video


def _track_header(track: int, volume: int, width_px: int, height_px: int) -> bytes:
    head = struct.pack(">IIIII8xHHH2x", 0, 0, track, 0, 0, 0, 0, volume)
    return full_box(b"tkhd", 0, 3, head, _MATRIX, struct.pack(">II", width_px << 16, height_px << 16))


def _media(timescale: int, handler: bytes, media_header: bytes, entry: bytes) -> bytes:
    mdhd = full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0))  # language und
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), b"\0")
    dinf = box(b"dinf", full_box(b"dref", 0, 0, (1).to_bytes(4, "big"), full_box(b"url ", 0, 1)))
    tables = [full_box(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    stsd = full_box(b"stsd", 0, 0, (1).to_bytes(4, "big"), entry)
    stbl = box(b"stbl", stsd, *tables[:2], full_box(b"stsz", 0, 0, bytes(8)), tables[2])
    return box(b"mdia", mdhd, hdlr, box(b"minf", media_header, dinf, stbl))


def _trex(track: int, flags: int) -> bytes:
    return full_box(b"trex", 0, 0, struct.pack(">IIIII", track, 1, 0, 0, flags))

"""Reads any footage (segment file, clip, URL) frame by frame and lists what is in it: stamps, times,
hashes.

Annex B and length-prefixed streams alike; hashes are over NAL units without start codes or lengths, as in
the simulator's ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

STAMP_UUID = bytes.fromhex("6b1f6c9e5d0a4c539f0e2f3f7a8d4c11")


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """Times are exact seconds as the container says; `counter` and `utc_ns` None where the frame has no stamp."""

    counter: int | None
    utc_ns: int | None
    pts_s: Fraction | None
    dts_s: Fraction | None
    is_keyframe: bool
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class SeenUnit:
    """One packet of sound."""

    pts_s: Fraction | None
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Footage:
    codec: str | None
    width_px: int
    height_px: int
    frames: list[SeenFrame]
    units: list[SeenUnit]


def read_footage(
    source: str | Path, *, options: dict[str, str] | None = None, max_frames: int | None = None
) -> Footage:
    """Demuxes `source`, at most `max_frames` pictures of it. Raises `av.FFmpegError`."""
    frames: list[SeenFrame] = []
    units: list[SeenUnit] = []
    with av.open(str(source), options=options or {}) as container:
        video = next(iter(container.streams.video), None)
        audio = next(iter(container.streams.audio), None)
        codec = {"h264": "h264", "hevc": "h265"}.get(video.codec_context.name) if video else None
        length_size = _length_size(bytes(video.codec_context.extradata or b""), codec) if video else 0
        size = (video.codec_context.width, video.codec_context.height) if video else (0, 0)
        for packet in container.demux([stream for stream in (video, audio) if stream]):
            if not packet.size:
                continue
            coded = bytes(packet)
            base = Fraction(packet.time_base)
            pts_s = packet.pts * base if packet.pts is not None else None
            if packet.stream is audio:
                units.append(SeenUnit(pts_s, hashlib.sha256(coded).hexdigest(), len(coded)))
                continue
            dts_s = packet.dts * base if packet.dts is not None else None
            nals = list(split_nals(coded, length_size))
            counter, utc_ns = find_stamp(codec or "", nals)
            whole = b"".join(nals)
            digest = hashlib.sha256(whole).hexdigest()
            frames.append(SeenFrame(counter, utc_ns, pts_s, dts_s, packet.is_keyframe, digest, len(whole)))
            if max_frames is not None and len(frames) >= max_frames:
                break
    return Footage(codec, *size, frames, units)


def read_many(paths: Iterable[Path]) -> list[SeenFrame]:
    """The pictures of several files, one after another."""
    return [frame for path in paths for frame in read_footage(path).frames]


def split_nals(coded: bytes, length_size: int) -> Iterator[bytes]:
    """`length_size` 0 means start codes."""
    if not length_size:
        pieces = coded.split(b"\x00\x00\x01")
        yield from (piece.rstrip(b"\x00") for piece in pieces[1:] if piece.rstrip(b"\x00"))
        return
    at = 0
    while at < len(coded):
        size = int.from_bytes(coded[at : at + length_size], "big")
        if at + length_size + size > len(coded):
            raise ValueError("a NAL unit passes the end of its sample")
        yield coded[at + length_size : at + length_size + size]
        at += length_size + size


def find_stamp(codec: str, nals: Iterable[bytes]) -> tuple[int | None, int | None]:
    """Counter and UTC ns of the simulator's SEI message."""
    for nal in nals:
        header = 1 if codec == "h264" else 2
        is_sei = nal[0] & 0x1F == 6 if codec == "h264" else (nal[0] >> 1) & 0x3F == 39
        if not is_sei or nal[header : header + 2] != b"\x05\x20":
            continue
        payload = _unescape(nal[header + 2 :])
        if payload[:16] == STAMP_UUID:
            return int.from_bytes(payload[16:24], "big"), int.from_bytes(payload[24:32], "big")
    return None, None


def _unescape(payload: bytes) -> bytes:
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        zeros = zeros + 1 if byte == 0 else 0
        out.append(byte)
    return bytes(out)


def _length_size(extradata: bytes, codec: str | None) -> int:
    if extradata[:1] != b"\x01":
        return 0
    return (extradata[4 if codec == "h264" else 21] & 3) + 1

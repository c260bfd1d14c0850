"""RTP and RTCP as a camera sends them: payload formats and headers. Bytes only, no I/O.

Payload formats: H.264 (RFC 6184, packetization-mode 1: single NAL, STAP-A, FU-A), H.265 (RFC 7798:
single, AP, FU), AAC (RFC 3640, AAC-hbr, one access unit a packet), G.711 (RFC 3551). Called by `clip`
once per clip and by `stream` for each stamp.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_PAYLOAD_BYTES = 1388
"""1400 with the 12 bytes of the RTP header; fits Ethernet with room for tunnels."""

VIDEO_PAYLOAD_TYPE = 96
AUDIO_PAYLOAD_TYPES = {"aac": 97, "pcmu": 0, "pcma": 8}

_NTP_UNIX_OFFSET_S = 2_208_988_800  # 1900 to 1970, RFC 5905 figure 4
_RTP_HEADER = struct.Struct(">BBHII")
_SENDER_REPORT = struct.Struct(">BBHIQIII")


@dataclass(frozen=True, slots=True)
class PacketizedFrame:
    """RTP payloads of one frame: `before` and `after` the place of the stamp."""

    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


def packetize_frame(codec: str, before: list[bytes], after: list[bytes]) -> PacketizedFrame:
    return PacketizedFrame(tuple(_packetize(codec, before)), tuple(_packetize(codec, after)))


def packetize_nal(codec: str, nal: bytes) -> list[bytes]:
    """One NAL unit: alone, or in fragments (FU-A, RFC 6184 5.8; FU, RFC 7798 4.4.3)."""
    if len(nal) <= MAX_PAYLOAD_BYTES:
        return [nal]
    if codec == "h264":
        header, kind, skip = bytes([(nal[0] & 0xE0) | 28]), nal[0] & 0x1F, 1
    else:
        header, kind, skip = bytes([(nal[0] & 0x81) | (49 << 1), nal[1]]), (nal[0] >> 1) & 0x3F, 2
    room = MAX_PAYLOAD_BYTES - len(header) - 1
    payloads = []
    for at in range(skip, len(nal), room):
        flags = (0x80 if at == skip else 0) | (0x40 if at + room >= len(nal) else 0)
        payloads.append(header + bytes([flags | kind]) + nal[at : at + room])
    return payloads


def _packetize(codec: str, nals: list[bytes]) -> list[bytes]:
    """Small neighbours (parameter sets, AUD, SEI) share an aggregation packet, large ones are cut."""
    payloads: list[bytes] = []
    group: list[bytes] = []
    for nal in nals:
        if group and sum(map(len, group)) + 2 * len(group) + len(nal) + 4 > MAX_PAYLOAD_BYTES:
            payloads += _aggregate(codec, group)
            group = []
        if len(nal) + 4 > MAX_PAYLOAD_BYTES:
            payloads += packetize_nal(codec, nal)
        else:
            group.append(nal)
    return payloads + _aggregate(codec, group)


def _aggregate(codec: str, nals: list[bytes]) -> list[bytes]:
    """STAP-A (RFC 6184 5.7.1) or AP (RFC 7798 4.4.2)."""
    if len(nals) < 2:
        return list(nals)
    if codec == "h264":
        header = bytes([max(nal[0] & 0x60 for nal in nals) | 24])
    else:
        header = bytes([48 << 1, 1])
    return [header + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)]


def packetize_audio(codec: str, unit: bytes) -> bytes:
    """One unit as one payload; AAC behind a 16-bit AU header (13 bits size, 3 bits index; RFC 3640 3.3.6)."""
    if codec == "aac":
        return struct.pack(">HH", 16, len(unit) << 3) + unit
    return unit


def rtp_header(payload_type: int, is_marked: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """RFC 3550 5.1, without extension and contributors. `sequence` and `timestamp` are cut to their widths."""
    second = payload_type | (0x80 if is_marked else 0)
    return _RTP_HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)


def sender_report(ssrc: int, utc_ns: int, timestamp: int, packets: int, octets: int) -> bytes:
    """RTCP SR without report blocks, and the SDES CNAME that a compound packet must hold (RFC 3550 6.1, 6.4.1)."""
    seconds, rest_ns = divmod(utc_ns, 1_000_000_000)
    ntp = ((seconds + _NTP_UNIX_OFFSET_S) << 32) | (rest_ns << 32) // 1_000_000_000
    report = _SENDER_REPORT.pack(
        0x80, 200, 6, ssrc, ntp, timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF
    )
    description = struct.pack(">BBHIBB6s4x", 0x81, 202, 4, ssrc, 1, 6, b"simcam")
    return report + description

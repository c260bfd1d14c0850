"""RTCP (RFC 3550 section 6): sender reports in, receiver reports out. Some cameras stop without our reports."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_NTP_UNIX_S = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""

_SENDER_REPORT, _BYE = 200, 203
_MAX_PACKETS = 32
"""In one compound packet; a camera sends two."""

_SR = struct.Struct(">IIII")


@dataclass(frozen=True, slots=True)
class SenderReport:
    ssrc: int
    ntp_ns: int
    """Nanoseconds since the Unix epoch by the camera's clock; cameras without one count from their start."""
    ntp_middle: int
    """The middle 32 bits of the NTP timestamp, for the reports that we send."""
    timestamp: int
    """RTP time of the same instant, 32 bits."""


def parse_sender_report(packet: bytes | memoryview) -> SenderReport | None:
    """The sender report in a compound packet, if there is a whole one."""
    at = 0
    for _ in range(_MAX_PACKETS):
        if at + 4 > len(packet) or packet[at] >> 6 != 2:
            return None
        length = 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
        if at + length > len(packet):
            return None
        if packet[at + 1] == _SENDER_REPORT and length >= 28:
            ssrc = int.from_bytes(packet[at + 4 : at + 8], "big")
            seconds, fraction, timestamp, _ = _SR.unpack_from(packet, at + 8)
            if not seconds:
                return None
            if seconds < 0x80000000:
                seconds += 1 << 32  # era 1 begins in 2036 (RFC 4330 section 3)
            ntp_ns = (seconds - _NTP_UNIX_S) * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
            return SenderReport(ssrc, ntp_ns, (seconds & 0xFFFF) << 16 | fraction >> 16, timestamp)
        at += length
    return None


def receiver_report(
    own_ssrc: int,
    source_ssrc: int,
    fraction_lost: int,
    lost: int,
    highest: int,
    sr_middle: int,
    sr_delay_ns: int,
) -> bytes:
    """A compound packet: receiver report with one block (jitter isn't measured: 0), and our CNAME."""
    delay = min(sr_delay_ns * 65536 // 1_000_000_000, 0xFFFFFFFF) if sr_middle else 0
    report = struct.pack(
        ">BBHIIIIIII", 0x81, 201, 7, own_ssrc, source_ssrc, fraction_lost << 24 | lost & 0xFFFFFF, highest, 0,
        sr_middle, delay,
    )  # fmt: skip
    name = b"heron"
    item = bytes((1, len(name))) + name
    item += bytes(4 - len(item) % 4)  # at least one zero ends the list
    return report + struct.pack(">BBHI", 0x81, 202, 1 + len(item) // 4, own_ssrc) + item

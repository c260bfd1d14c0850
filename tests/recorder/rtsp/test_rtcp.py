"""Sender reports read, receiver reports written."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.rtcp import parse_sender_report, receiver_report

SECONDS = 2_208_988_800 + 1_700_000_000


def sender_report(seconds=SECONDS, fraction=0x80000000, timestamp=4321):
    return struct.pack(">BBHIIIIII", 0x80, 200, 6, 99, seconds, fraction, timestamp, 1, 2)


def test_sender_report_tells_the_cameras_clock():
    description = struct.pack(">BBHI4s", 0x81, 202, 2, 99, b"\1\1a\0")
    report = parse_sender_report(sender_report() + description)
    assert (report.ssrc, report.ntp_ns, report.timestamp) == (99, 1_700_000_000_500_000_000, 4321)
    assert report.ntp_middle == (SECONDS & 0xFFFF) << 16 | 0x8000


def test_time_after_2036_is_of_the_next_era():
    report = parse_sender_report(sender_report(seconds=10))
    assert report.ntp_ns == (2**32 + 10 - 2_208_988_800) * 10**9 + 500_000_000


def test_camera_without_a_clock_makes_no_report():
    assert parse_sender_report(sender_report(seconds=0)) is None


def test_receiver_report_is_a_well_formed_compound():
    packet = receiver_report(1, 2, 128, 77, 0x00010005, 0xABCD1234, 2_000_000_000)
    at, kinds = 0, []
    while at < len(packet):
        kinds.append(packet[at + 1])
        at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
    assert at == len(packet)
    assert kinds == [201, 202]
    assert struct.unpack(">IIIIIII", packet[4:32]) == (1, 2, 128 << 24 | 77, 0x10005, 0, 0xABCD1234, 2 * 65536)


@given(st.binary(max_size=200))
def test_no_packet_raises(packet):
    parse_sender_report(packet)
    parse_sender_report(sender_report()[: len(packet)] + packet)

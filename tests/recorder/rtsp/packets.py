"""RTP packets made by hand, and a track that takes them."""

import struct

from recorder.rtsp.rtp import RTP_HEAD, ReceiveClock, ReorderingReceiver, RtpReceiver

from .collecting import Collector

H264_SETS = (
    bytes.fromhex("6742c00bda0507e84000000300400000078310a92480"),
    bytes.fromhex("68ce0f2c80"),
)


def rtp(sequence, timestamp, payload, *, marker=False, ssrc=7, payload_type=96, first=0x80, extra=b""):
    head = struct.pack(">BBHII", first, payload_type | (0x80 if marker else 0), sequence & 0xFFFF,
                       timestamp & 0xFFFFFFFF, ssrc)  # fmt: skip
    return head + extra + payload


def fragments(nal, size=100):
    """FU-A payloads of an H.264 NAL unit."""
    pieces = [nal[at : at + size] for at in range(1, len(nal), size)]
    made = []
    for number, piece in enumerate(pieces):
        flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
        made.append(bytes((nal[0] & 0xE0 | 28, flags | nal[0] & 0x1F)) + piece)
    return made


def fragments_h265(nal, size=100):
    pieces = [nal[at : at + size] for at in range(2, len(nal), size)]
    kind = nal[0] >> 1 & 0x3F
    made = []
    for number, piece in enumerate(pieces):
        flags = (0x80 if number == 0 else 0) | (0x40 if number == len(pieces) - 1 else 0)
        made.append(bytes((nal[0] & 0x81 | 49 << 1, nal[1], flags | kind)) + piece)
    return made


def sample(*nals):
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)


class Feeder:
    """A receiver, a depacketizer and what came out."""

    def __init__(self, make_depacketizer, *, is_udp=False, payload_type=96):
        self.sink = Collector()
        self.clock = ReceiveClock()
        self.clock.now_ns = 0
        self.depacketizer = make_depacketizer(self.clock, self.sink)
        count = self.sink.on_loss
        if is_udp:
            self.receiver = ReorderingReceiver(payload_type, self.depacketizer, count, self.clock)
        else:
            self.receiver = RtpReceiver(payload_type, self.depacketizer, count)

    def packet(self, packet):
        self.clock.now_ns += 1000
        padded = memoryview(bytearray(packet) + bytearray(32))
        self.receiver.on_packet(padded, 0, len(packet), *RTP_HEAD.unpack_from(padded))

    def packets(self, packets):
        for packet in packets:
            self.packet(packet)
        return self

    @property
    def units(self):
        return [entry[0] for entry in self.sink.video]

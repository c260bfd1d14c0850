"""RTP (RFC 3550): sequence numbers, sources, padding and extensions; loss; a small reorder buffer for UDP.

The hot path of a camera: one call a packet, no object a packet. `wire` and `transport_udp` unpack the fixed
header (they have it in one `unpack` with their own framing) and call `on_packet`; payloads go on to a
depacketizer (`feed`, `lost`). Runs in the event loop's thread.
"""

from __future__ import annotations

import struct
import time
from typing import Protocol

MAX_DROPOUT = 3000
"""A jump in sequence numbers beyond this is a restart of the camera, not loss (RFC 3550 A.1)."""

MAX_LATE = 512
"""A packet that is at most so far behind is late or doubled; further back, the sequence may have begun anew."""

MAX_HELD_PACKETS = 64
"""Of the UDP reorder buffer: about 90 KB, a keyframe's worth."""

MAX_HELD_NS = 100_000_000
"""How long a missing packet is waited for; LAN reordering is below 1 ms, Wi-Fi retries below 50."""

RTP_HEAD = struct.Struct(">HHII")
"""First two bytes (flags, payload type), sequence number, timestamp, SSRC."""


class ReceiveClock:
    """`time.monotonic_ns()` of the read whose bytes are being parsed: one clock call a read, not a packet."""

    __slots__ = ("now_ns",)

    def __init__(self) -> None:
        self.now_ns = time.monotonic_ns()


class Depacketizer(Protocol):
    """From payloads to samples. `timestamp` is the packet's 32 bits, `marker` its marker bit (0 or 0x80)."""

    def feed(self, view: memoryview, start: int, stop: int, timestamp: int, marker: int) -> None: ...
    def lost(self) -> None:
        """Packets are missing before the next `feed`."""

    def restarted(self) -> None:
        """The next `feed` begins a new sequence: what is half done is void."""


class TimestampUnwrapper:
    """32-bit RTP timestamps as integers that never jump at 2**32; the origin is the first one seen."""

    __slots__ = ("last", "value")

    def __init__(self) -> None:
        self.last: int | None = None
        self.value = 0

    def advance(self, timestamp: int) -> int:
        if self.last is None:
            self.value = timestamp
        else:
            self.value += ((timestamp - self.last + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self.last = timestamp
        return self.value

    def near(self, timestamp: int) -> int | None:
        """The same line for a timestamp that isn't a packet's (a sender report); `None` before the first."""
        if self.last is None:
            return None
        return self.value + ((timestamp - self.last + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class RtpReceiver:
    """Packets of one track in the order of arrival (TCP). `count_loss(packets)` is told of gaps."""

    __slots__ = (
        "_bad_sequence", "_count_loss", "_cycles", "_depacketizer", "_feed", "_first", "_highest", "_plain",
        "_reported", "expected", "lost_packets", "malformed", "payload_type", "ssrc",
    )  # fmt: skip

    def __init__(self, payload_type: int, depacketizer: Depacketizer, count_loss) -> None:
        self.payload_type = payload_type
        self.ssrc = -1
        self.expected = -1
        self.lost_packets = 0
        self.malformed = 0
        self._plain = 0x8080 | payload_type
        self._depacketizer = depacketizer
        self._feed = depacketizer.feed
        self._count_loss = count_loss
        self._bad_sequence = (-1, -1)
        self._first = self._highest = self._cycles = 0
        self._reported = (0, 0)

    def on_packet(
        self, view: memoryview, start: int, stop: int, flags: int, sequence: int, timestamp: int, ssrc: int
    ) -> None:
        """One packet, header included, at `view[start:stop]`. The header's fields are only valid if the packet
        is as long as a header."""
        if sequence == self.expected and flags | 0x80 == self._plain and ssrc == self.ssrc and stop - start > 12:
            self.expected = (sequence + 1) & 0xFFFF
            self._feed(view, start + 12, stop, timestamp, flags & 0x80)
        else:
            self._unusual(view, start, stop, flags, sequence, timestamp, ssrc)

    def _unusual(
        self, view: memoryview, start: int, stop: int, flags: int, sequence: int, timestamp: int, ssrc: int
    ) -> None:
        """Whatever isn't the expected next packet with a plain header."""
        bounds = self._payload(view, start, stop, flags)
        if bounds is None:
            return
        if ssrc != self.ssrc:
            self._restart(sequence, ssrc)
        ahead = (sequence - self.expected) & 0xFFFF
        if ahead:
            if ahead > MAX_DROPOUT:
                if not self._goes_on_from(sequence, ahead):
                    return
                self._restart(sequence, ssrc)
            else:
                self._gap(ahead)
        self._take(view, bounds[0], bounds[1], sequence, timestamp, flags & 0x80)

    def _goes_on_from(self, sequence: int, ahead: int) -> bool:
        """Whether a far-off number begins a new sequence: two in a row do (RFC 3550 A.1)."""
        if ahead >= 0x10000 - MAX_LATE:
            return False
        if (sequence, self.expected) == self._bad_sequence:
            return True
        self._bad_sequence = ((sequence + 1) & 0xFFFF, self.expected)
        return False

    def _take(self, view: memoryview, start: int, stop: int, sequence: int, timestamp: int, marker: int) -> None:
        self.expected = (sequence + 1) & 0xFFFF
        if stop > start:
            self._feed(view, start, stop, timestamp, marker)

    def _payload(self, view: memoryview, start: int, stop: int, flags: int) -> tuple[int, int] | None:
        """Where the payload lies behind CSRCs and extension and before padding; `None`: not a packet of ours."""
        if stop - start < 12 or flags >> 14 != 2:
            self.malformed += 1
            return None
        if flags & 0x7F != self.payload_type:
            return None
        begin = start + 12 + 4 * (flags >> 8 & 0x0F)
        if flags & 0x1000:
            if begin + 4 > stop:
                self.malformed += 1
                return None
            begin += 4 + 4 * int.from_bytes(view[begin + 2 : begin + 4], "big")
        if flags & 0x2000 and stop > begin:
            stop -= view[stop - 1]
        if begin > stop:
            self.malformed += 1
            return None
        return begin, stop

    def _restart(self, sequence: int, ssrc: int) -> None:
        if self.ssrc != -1:
            self._depacketizer.restarted()
        self.ssrc = ssrc
        self.expected = sequence
        self._first = self._highest = sequence
        self._cycles = 0
        self._bad_sequence = (-1, -1)
        self.lost_packets = 0
        self._reported = (0, 0)

    def _gap(self, packets: int) -> None:
        self.lost_packets += packets
        self._depacketizer.lost()
        self._count_loss(packets)

    def tick(self) -> None:
        """Called about once a second, for what needs a clock."""

    def report(self) -> tuple[int, int, int, int] | None:
        """For a receiver report: SSRC, fraction lost (of 256), lost, highest sequence number extended.

        To be called more often than the sequence numbers go round (65536 packets)."""
        if self.ssrc < 0:
            return None
        last = (self.expected - 1) & 0xFFFF
        if last < self._highest and self._highest - last > 0x8000:
            self._cycles += 1
        self._highest = last
        extended = (self._cycles << 16) | last
        expected = extended - self._first + 1
        now_expected, now_lost = expected - self._reported[0], self.lost_packets - self._reported[1]
        self._reported = (expected, self.lost_packets)
        fraction = min(255, 256 * now_lost // now_expected) if now_expected > 0 else 0
        return self.ssrc, max(0, fraction), min(self.lost_packets, 0x7FFFFF), extended & 0xFFFFFFFF


class ReorderingReceiver(RtpReceiver):
    """The same for UDP: packets that come early wait for the missing ones, a few and not for long."""

    __slots__ = ("_clock", "_held", "_held_since_ns")

    def __init__(self, payload_type: int, depacketizer: Depacketizer, count_loss, clock: ReceiveClock) -> None:
        super().__init__(payload_type, depacketizer, count_loss)
        self._clock = clock
        self._held: dict[int, tuple[bytes, int, int]] = {}
        self._held_since_ns = 0

    def on_packet(
        self, view: memoryview, start: int, stop: int, flags: int, sequence: int, timestamp: int, ssrc: int
    ) -> None:
        if (
            sequence == self.expected
            and not self._held
            and flags | 0x80 == self._plain
            and ssrc == self.ssrc
            and stop - start > 12
        ):
            self.expected = (sequence + 1) & 0xFFFF
            self._feed(view, start + 12, stop, timestamp, flags & 0x80)
        else:
            self._unusual(view, start, stop, flags, sequence, timestamp, ssrc)

    def _unusual(
        self, view: memoryview, start: int, stop: int, flags: int, sequence: int, timestamp: int, ssrc: int
    ) -> None:
        bounds = self._payload(view, start, stop, flags)
        if bounds is None:
            return
        if ssrc != self.ssrc:
            self._release(everything=True)
            self._restart(sequence, ssrc)
        ahead = (sequence - self.expected) & 0xFFFF
        if ahead > MAX_DROPOUT:
            if not self._goes_on_from(sequence, ahead):
                return
            self._release(everything=True)
            self._restart(sequence, ssrc)
            ahead = 0
        if ahead == 0:
            self._take(view, bounds[0], bounds[1], sequence, timestamp, flags & 0x80)
            self._release()
            return
        if not self._held:
            self._held_since_ns = self._clock.now_ns
        self._held[sequence] = (bytes(view[bounds[0] : bounds[1]]), timestamp, flags & 0x80)
        self._give_up_if_due()

    def _give_up_if_due(self) -> None:
        while self._held and (
            len(self._held) > MAX_HELD_PACKETS or self._clock.now_ns - self._held_since_ns > MAX_HELD_NS
        ):
            nearest = min((sequence - self.expected) & 0xFFFF for sequence in self._held)
            self._gap(nearest)
            self.expected = (self.expected + nearest) & 0xFFFF
            self._held_since_ns = self._clock.now_ns
            self._release()

    def _release(self, everything: bool = False) -> None:
        """Pass on what follows without a gap, or (before a restart) all that is held."""
        held = self._held
        while held:
            packet = held.pop(self.expected, None)
            if packet is None:
                if not everything:
                    return
                nearest = min((sequence - self.expected) & 0xFFFF for sequence in held)
                self._gap(nearest)
                self.expected = (self.expected + nearest) & 0xFFFF
                continue
            payload, timestamp, marker = packet
            self._take(memoryview(payload), 0, len(payload), self.expected, timestamp, marker)

    def tick(self) -> None:
        self._clock.now_ns = time.monotonic_ns()
        self._give_up_if_due()

"""One client that watches one stream, and how a burst of packets reaches it: interleaved in TCP, or as
UDP datagrams.

A `Burst` is built once per frame by the stream and written to every viewer; a viewer that doesn't read is
dropped, alone. Runs in the server's event loop.
"""

from __future__ import annotations

import logging
import socket
import struct
from asyncio import WriteTransport
from typing import Any

logger = logging.getLogger(__name__)

MAX_UNSENT_BYTES = 4_000_000
"""A viewer with more than this waiting in its socket's buffer is dropped: some 20 s of a 1.6 Mbit/s stream."""

VIDEO_RTP, VIDEO_RTCP, AUDIO_RTP, AUDIO_RTCP = range(4)
_INTERLEAVED = struct.Struct(">BBH")


class Burst:
    """The packets due at one instant: (slot, header, payload); slots are `VIDEO_RTP` to `AUDIO_RTCP`."""

    __slots__ = ("_built", "junk", "packets")

    def __init__(self) -> None:
        self.packets: list[tuple[int, bytes, bytes]] = []
        self.junk = b""
        """Bytes that are no packet, sent first in TCP (fault `garbage`)."""
        self._built: dict[tuple[int, ...], bytes] = {}

    def interleaved(self, channels: tuple[int, ...]) -> bytes:
        """RFC 2326 10.12; `channels` by slot, -1 for what isn't set up. Built once for equal channels."""
        built = self._built.get(channels)
        if built is None:
            parts = [self.junk]
            pack = _INTERLEAVED.pack
            for slot, header, payload in self.packets:
                channel = channels[slot]
                if channel >= 0:
                    parts += (pack(0x24, channel, len(header) + len(payload)), header, payload)
            built = self._built[channels] = b"".join(parts)
        return built


class Viewer:
    """`channels` and `addresses` by slot; a slot is in one of them or, where its track isn't set up, in none."""

    __slots__ = ("addresses", "channels", "dropped_datagrams", "is_waiting", "rtcp", "rtp", "transport")

    def __init__(self, transport: WriteTransport) -> None:
        self.transport = transport
        self.channels: tuple[int, ...] = (-1, -1, -1, -1)
        self.addresses: list[Any] = [None, None, None, None]
        self.rtp: socket.socket | None = None
        self.rtcp: socket.socket | None = None
        self.is_waiting = True
        """Until the next keyframe."""
        self.dropped_datagrams = 0

    def set_channels(self, slot: int, rtp: int, rtcp: int) -> None:
        channels = list(self.channels)
        channels[slot], channels[slot + 1] = rtp, rtcp
        self.channels = tuple(channels)

    def has_track(self, slot: int) -> bool:
        return self.channels[slot] >= 0 or self.addresses[slot] is not None

    def send(self, burst: Burst) -> None:
        """Never blocks and never raises; a viewer that lags too far is cut off."""
        if max(self.channels) >= 0:
            if self.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
                logger.warning("a viewer stopped reading and is dropped")
                self.transport.abort()
                return
            packets = burst.interleaved(self.channels)
            if packets:
                self.transport.write(packets)
        if self.rtp is not None:
            self._send_datagrams(burst)

    def _send_datagrams(self, burst: Burst) -> None:
        for slot, header, payload in burst.packets:
            address = self.addresses[slot]
            sender = self.rtcp if slot & 1 else self.rtp
            if address is None or sender is None:
                continue
            try:
                sender.sendto(header + payload, address)
            except OSError:  # a full buffer or an ICMP refusal: datagrams may get lost
                self.dropped_datagrams += 1

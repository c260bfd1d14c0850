"""The TCP connection: RTSP messages and interleaved media (RFC 2326 section 10.12) in one stream of bytes.

The hot path: `buffer_updated` finds packets in the receive buffer and calls the receiver of their channel, without
an object a packet. One receive buffer serves all connections of a thread, because a read and its parsing
happen in one go; only the beginning of an unfinished packet (at most 64 KB) is kept per connection.

Whatever goes wrong ends the connection and is told once to `on_end`; later bytes are ignored.
"""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import Callable

from recorder.errors import CameraError

from .failures import bad_stream, connection_ended, internal
from .messages import MalformedMessage, Message, MessageAssembler
from .rtp import ReceiveClock

RECEIVE_BYTES = 256 * 1024
"""Of a read. Holds a keyframe, so that it costs one system call; must hold one interleaved packet (64 KB)."""

_SLACK_BYTES = 32
"""Behind the received bytes, so that a header can be unpacked before its length is known to be enough."""

_MAX_UNSENT_BYTES = 64 * 1024
"""What a camera that doesn't read can make us hold of reports and keep-alives."""

_INTERLEAVED = 0x24
_HEAD = struct.Struct(">HHHHII")
"""`$` and channel, length, then the RTP header's first 12 bytes."""

_of_thread = threading.local()


def receive_view() -> memoryview:
    """The thread's receive buffer. What is in it is void after the callback that read it."""
    view = getattr(_of_thread, "view", None)
    if view is None:
        view = _of_thread.view = memoryview(bytearray(RECEIVE_BYTES + _SLACK_BYTES))
    return view


class RtspWire(asyncio.BufferedProtocol):
    """`receivers` maps `0x2400 | channel` to a function of the shape of `RtpReceiver.on_packet`."""

    def __init__(
        self,
        peer: str,
        clock: ReceiveClock,
        on_message: Callable[[Message], None],
        on_end: Callable[[CameraError], None],
    ) -> None:
        self.peer = peer
        self.receivers: dict[int, Callable[..., None]] = {}
        self.transport: asyncio.Transport | None = None
        self._clock = clock
        self._on_message = on_message
        self._on_end = on_end
        self._view = receive_view()
        self._room = self._view[:RECEIVE_BYTES]
        self._kept = b""
        self._assembler: MessageAssembler | None = None
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(connection_ended(self.peer, exc))

    def eof_received(self) -> bool:
        return False

    def get_buffer(self, sizehint: int) -> memoryview:
        kept = self._kept
        if not kept:
            return self._room
        length = len(kept)
        self._view[:length] = kept
        return self._room[length:]

    def buffer_updated(self, nbytes: int) -> None:
        if self._has_ended:
            return
        view = self._view
        end = len(self._kept) + nbytes
        at = 0
        self._clock.now_ns = time.monotonic_ns()
        receivers = self.receivers
        unpack = _HEAD.unpack_from
        try:
            while end - at >= 4:
                if self._assembler is None:
                    first, length, flags, sequence, timestamp, ssrc = unpack(view, at)
                    receive = receivers.get(first)
                    if receive is not None:
                        stop = at + 4 + length
                        if stop > end:
                            break
                        receive(view, at + 4, stop, flags, sequence, timestamp, ssrc)
                        at = stop
                        continue
                    if first >> 8 == _INTERLEAVED:  # a channel that nobody set up
                        stop = at + 4 + length
                        if stop > end:
                            break
                        at = stop
                        continue
                at = self._read_message(at, end)
                if self._has_ended:
                    return
            else:
                if self._assembler is not None and at < end:
                    at = self._read_message(at, end)
            self._kept = bytes(view[at:end]) if at < end else b""
        except CameraError as err:
            self._end(err)
        except Exception as err:
            failure = internal(self.peer)
            failure.__cause__ = err
            self._end(failure)

    def _read_message(self, at: int, end: int) -> int:
        """Take what belongs to an RTSP message at `at`; returns where the rest begins."""
        view = self._view
        if self._assembler is None:
            while at < end and view[at] in b"\r\n ":
                at += 1
            if at == end or view[at] == _INTERLEAVED:
                return at
            if not (0x41 <= view[at] <= 0x5A or 0x61 <= view[at] <= 0x7A):
                raise bad_stream(self.peer, "sends bytes that are not RTSP")
            self._assembler = MessageAssembler()
        try:
            message, used = self._assembler.feed(view[at:end])
        except MalformedMessage as err:
            raise bad_stream(self.peer, str(err)) from None
        if message is not None:
            self._assembler = None
            self._on_message(message)
        return at + used

    def send(self, message: bytes) -> bool:
        """False when the camera doesn't read what we send; then nothing is queued."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            return False
        transport.write(message)
        return True

    @property
    def is_closed(self) -> bool:
        return self._has_ended or self.transport is None

    def close(self) -> None:
        """Close now; `on_end` hears nothing any more."""
        self._has_ended = True
        self.receivers.clear()
        self._kept = b""
        if self.transport is not None:
            self.transport.abort()

    def _end(self, error: CameraError) -> None:
        if self._has_ended:
            return
        self.close()
        self._on_end(error)

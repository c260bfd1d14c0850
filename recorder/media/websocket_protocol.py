"""uvicorn's WebSocket protocol with one door more: ready-made frames straight to the socket.

Live video sends the same bytes to every viewer. ASGI's `websocket.send` would build a frame per viewer and hide how
much a viewer still has to read; so the scope carries the extension `heron.frames`, a `FrameWriter`, that takes
frames built once for all and tells the bytes that wait. Handshake, pings and closing stay uvicorn's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "heron.frames"

NOT_SENT_BYTES = 128 * 1024
"""TCP_NOTSENT_LOWAT: what the kernel may hold beyond what is on the wire. Small, so that a slow viewer's backlog
lies where we see it; large enough for a keyframe."""


def text_frame(text: str) -> bytes:
    return _frame(0x81, text.encode())


def binary_frame(payload: bytes) -> bytes:
    """An unfragmented, unmasked, final binary frame (RFC 6455 section 5.2)."""
    return _frame(0x82, payload)


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return b"%c\x7e%b%b" % (first, length.to_bytes(2, "big"), payload)
    return b"%c\x7f%b%b" % (first, length.to_bytes(8, "big"), payload)


class FrameWriter:
    """One open WebSocket as a place to put frames. Loop's thread only; writing to a closed one does nothing."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: WebSocketsSansIOProtocol) -> None:
        self._protocol = protocol

    @property
    def is_open(self) -> bool:
        protocol = self._protocol
        return (
            protocol.handshake_complete
            and not protocol.close_sent
            and not protocol.disconnected
            and not protocol.transport.is_closing()
        )

    @property
    def waiting_bytes(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        if self.is_open:
            self._protocol.transport.write(frame)

    def write_all(self, frames: Sequence[bytes]) -> None:
        if self.is_open:
            self._protocol.transport.writelines(frames)

    def abort(self) -> None:
        """Drop the connection and what waits for it."""
        self._protocol.transport.abort()


class FanoutWebSocketProtocol(WebSocketsSansIOProtocol):
    """Given to uvicorn as its `ws` class."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_NOTSENT_LOWAT", 25), NOT_SENT_BYTES)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)  # only schedules the app: the scope can still grow
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = FrameWriter(self)

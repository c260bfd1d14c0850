"""One RTSP connection to the simulator (RFC 2326): requests in, answers out, and the session it plays.

A session belongs to its connection; it ends with it, with TEARDOWN, or when nothing was heard for the
session timeout. Runs in the server's event loop; a client's nonsense closes that client's connection.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import secrets
import socket
import struct
import time
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from .auth import Authenticator
from .faults import FaultState
from .sdp import AUDIO_CONTROL, EXTRA_CONTROL, VIDEO_CONTROL, build_sdp
from .viewer import AUDIO_RTP, VIDEO_RTP, Viewer

if TYPE_CHECKING:
    from .server import SimServer
    from .stream import SimStream

logger = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 16_384
_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 453: "Not Enough Bandwidth",
    454: "Session Not Found", 455: "Method Not Valid in This State", 461: "Unsupported Transport",
    501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_SLOTS = {VIDEO_CONTROL: VIDEO_RTP, AUDIO_CONTROL: AUDIO_RTP}
_GIANT_LENGTH = 2**32


class RtspConnection(asyncio.Protocol):
    def __init__(self, server: SimServer) -> None:
        self._server = server
        self._received = bytearray()
        self._transport: asyncio.Transport
        self._viewer: Viewer
        self._session: str | None = None
        self._playing = False
        self._authenticator: Authenticator | None = None
        self._heard = time.monotonic()
        self._trickle: asyncio.Task[None] | None = None
        self.stream: SimStream | None = None

    # Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._viewer = Viewer(self._transport)
        self._server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._trickle is not None:
            self._trickle.cancel()
        self._end_session()

    def close(self, *, is_reset: bool = False) -> None:
        """FIN, or RST (SO_LINGER with no time, so that the kernel discards what isn't sent)."""
        if is_reset:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()

    def drop_if_silent(self, now: float) -> None:
        """Called each second: RTSP's session timeout (RFC 2326 12.37)."""
        if self._session and now - self._heard > self._server.session_timeout_s:
            logger.info("a session timed out")
            self._end_session()
            self._transport.close()

    def data_received(self, received: bytes) -> None:
        self._heard = time.monotonic()
        self._received += received
        while self._received:
            if self._received[0] == 0x24:  # an interleaved packet: receiver reports, only a sign of life
                size = 4 + int.from_bytes(self._received[2:4], "big")
                if len(self._received) < max(4, size):
                    return
                del self._received[:size]
                continue
            if self._received[:2] == b"\r\n":
                del self._received[:2]
                continue
            end = self._received.find(b"\r\n\r\n")
            if end < 0 or end > MAX_REQUEST_BYTES:
                if len(self._received) > MAX_REQUEST_BYTES:
                    self._transport.abort()
                return
            head = self._received[:end].decode("latin-1")
            length = re.search(r"(?im)^content-length:\s*(\d{1,5})\s*$", head)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < total:
                return
            del self._received[:total]
            self._handle(head)

    # Requests

    def _handle(self, head: str) -> None:
        first, *rest = head.split("\r\n")
        words = first.split()
        if len(words) != 3:
            self._transport.abort()
            return
        method, url = words[0].upper(), words[1]
        headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        sequence = headers.get("cseq", "0")
        stream, track = self._server.find_stream(urlsplit(url).path)
        if stream is None:
            self._answer(sequence, 200 if method == "OPTIONS" else 404, {"Public": _METHODS})
            return
        self.stream = self.stream or stream
        faults = stream.faults
        if "half-open" in faults:
            return
        if self._authenticator is None:
            self._authenticator = Authenticator(self._server.credentials_of(stream))
        is_allowed = self._authenticator.accepts(method, headers.get("authorization"))
        if method != "OPTIONS" and ("401" in faults or not is_allowed):
            self._answer(sequence, 401, {"WWW-Authenticate": self._authenticator.challenge()})
        elif "503" in faults or ("404" in faults and method != "OPTIONS"):
            self._answer(sequence, 503 if "503" in faults else 404)
        else:
            run = getattr(self, f"_on_{method.lower()}", None)
            if run is None:
                self._answer(sequence, 501)
            else:
                run(sequence, stream, track, url, headers)

    def _on_options(self, sequence: str, *_: object) -> None:
        self._answer(sequence, 200, {"Public": _METHODS})

    def _on_get_parameter(self, sequence: str, *_: object) -> None:
        self._answer(sequence, 200)

    _on_set_parameter = _on_get_parameter

    def _on_describe(self, sequence: str, stream: SimStream, track: str, url: str, _: dict[str, str]) -> None:
        base = url.rstrip("/") + "/"
        quirks = self._server.quirks_of(stream)
        body = build_sdp(stream.clip, base, self._server.host, quirks)
        headers = {"Content-Type": "application/sdp"}
        if "no-base" not in quirks:
            headers["Content-Base"] = base
        self._answer(sequence, 200, headers, body.encode())

    def _on_setup(self, sequence: str, stream: SimStream, track: str, url: str, headers: dict[str, str]) -> None:
        if "453" in stream.faults:
            self._answer(sequence, 453)
            return
        if track not in (*_SLOTS, EXTRA_CONTROL) or (track == AUDIO_CONTROL and stream.clip.audio is None):
            self._answer(sequence, 404)
            return
        transport = self._set_up_transport(_SLOTS.get(track), headers.get("transport", ""))
        if transport is None:
            self._answer(sequence, 461)
            return
        self._session = self._session or secrets.token_hex(8)
        timeout = f"{self._session};timeout={self._server.session_timeout_s:.0f}"
        self._answer(sequence, 200, {"Transport": transport, "Session": timeout})

    def _set_up_transport(self, slot: int | None, offers: str) -> str | None:
        for offer in offers.split(","):
            kind, *parameters = offer.strip().split(";")
            values = dict(parameter.partition("=")[::2] for parameter in parameters)
            if kind.upper() == "RTP/AVP/TCP":
                first, _, second = values.get("interleaved", f"{slot or 8}-").partition("-")
                rtp = int(first) & 0xFF
                rtcp = int(second) & 0xFF if second else (rtp + 1) & 0xFF
                if slot is not None:
                    self._viewer.set_channels(slot, rtp, rtcp)
                return f"RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}"
            if kind.upper() in ("RTP/AVP", "RTP/AVP/UDP") and "multicast" not in values:
                first, _, second = values.get("client_port", "").partition("-")
                if not first.isdigit():
                    continue
                rtp = int(first)
                rtcp = int(second) if second.isdigit() else rtp + 1
                peer = self._transport.get_extra_info("peername")[0]
                if slot is not None:
                    self._viewer.addresses[slot : slot + 2] = [(peer, rtp), (peer, rtcp)]
                    self._viewer.rtp, self._viewer.rtcp = self._server.datagram_sockets()
                ports = self._server.datagram_ports()
                return (
                    f"RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={ports[0]}-{ports[1]};"
                    f"ssrc={self._ssrc(slot):08X}"
                )
        return None

    def _ssrc(self, slot: int | None) -> int:
        if self.stream is None or slot is None:
            return 0
        return (self.stream.video if slot == VIDEO_RTP else self.stream.audio).ssrc

    def _on_play(self, sequence: str, stream: SimStream, track: str, url: str, headers: dict[str, str]) -> None:
        if "453" in stream.faults:
            self._answer(sequence, 453)
            return
        if not self._session or headers.get("session", "").partition(";")[0] != self._session:
            self._answer(sequence, 454)
            return
        base = url.rstrip("/")
        packet, timestamp = stream.start_of_new_viewer()
        facts = {"Session": self._session, "Range": "npt=now-"}
        if self._viewer.has_track(VIDEO_RTP):
            facts["RTP-Info"] = f"url={base}/{VIDEO_CONTROL};seq={packet};rtptime={timestamp}"
        self._answer(sequence, 200, facts)
        if not self._playing:
            self._playing = True
            self._viewer.is_waiting = self._viewer.has_track(VIDEO_RTP)
            stream.attach(self._viewer)

    def _on_teardown(self, sequence: str, *_: object) -> None:
        self._end_session()
        self._answer(sequence, 200)
        self._transport.close()

    def _end_session(self) -> None:
        if self._playing and self.stream is not None:
            self.stream.detach(self._viewer)
        self._playing, self._session = False, None

    # Answers

    def _answer(self, sequence: str, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        faults = self.stream.faults if self.stream is not None else FaultState()
        lines = [f"RTSP/1.0 {status} {_REASONS[status]}", f"CSeq: {sequence}", "Server: simcam"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if "giant-length" in faults:
            lines.append(f"Content-Length: {_GIANT_LENGTH}")
            body += random.randbytes(1000)  # noqa: S311 - noise
        elif body:
            lines.append(f"Content-Length: {len(body)}")
        if "endless-header" in faults:
            lines.append("X-Padding: ")
            self._start_trickle("\r\n".join(lines).encode(), endless=True)
            return
        answer = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        if "slow" in faults:
            self._start_trickle(answer, bytes_per_s=faults.number("slow", 20))
        elif not self._transport.is_closing():
            self._transport.write(answer)

    def break_in(self) -> None:
        """An answer nobody asked for, with a giant length, amid the packets (fault `giant-length`)."""
        if self._playing:
            self._transport.write(f"RTSP/1.0 200 OK\r\nContent-Length: {_GIANT_LENGTH}\r\n\r\n".encode())

    def _start_trickle(self, answer: bytes, *, bytes_per_s: float = 0, endless: bool = False) -> None:
        if self._trickle is None or self._trickle.done():
            self._trickle = asyncio.ensure_future(self._send_trickle(answer, bytes_per_s, endless))

    async def _send_trickle(self, answer: bytes, bytes_per_s: float, endless: bool) -> None:
        if not endless:
            for position in range(len(answer)):
                self._transport.write(answer[position : position + 1])
                await asyncio.sleep(1 / max(0.1, bytes_per_s))
            return
        self._transport.write(answer)
        while not self._transport.is_closing():  # 640 kB/s, and no more than the client reads
            if self._transport.get_write_buffer_size() < 100_000:
                self._transport.write(b"x" * 64_000)
            await asyncio.sleep(0.1)

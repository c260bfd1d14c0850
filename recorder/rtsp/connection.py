"""One RTSP connection: requests and their replies, authentication, and every failure as a `CameraError`.

Used by `session`. At most one request is waited for at a time; keep-alives are sent without waiting.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable

from recorder.errors import CameraError
from recorder.netguard import CameraAddress, IPAddress

from .auth import Authenticator
from .failures import bad_stream, connect_failed, no_reply, unauthorized
from .messages import Message, format_request
from .rtp import ReceiveClock
from .wire import RtspWire

CONNECT_TIMEOUT_S = 5.0
REPLY_TIMEOUT_S = 5.0
"""Cameras answer within 1 s; some take 3 s to wake an encoder at PLAY."""


def tls_context() -> ssl.SSLContext:
    """Cameras have certificates of their own making and old key sizes: TLS protects against listening only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


class RtspConnection:
    """Made by `connect`. `ended` is done with the error that ended the connection."""

    def __init__(self, address: CameraAddress, authenticator: Authenticator, clock: ReceiveClock) -> None:
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.peer = f"{host}:{address.port}"
        self.server = ""
        """What the camera calls itself (`Server` header)."""
        self.ended: asyncio.Future[CameraError] = asyncio.get_running_loop().create_future()
        self.wire = RtspWire(self.peer, clock, self._on_message, self.end)
        self._authenticator = authenticator
        self._camera_ip = ""
        self._cseq = 0
        self._waiting: asyncio.Future[Message] | None = None
        self._waiting_cseq = -1
        self._on_late_reply: Callable[[Message], None] | None = None

    async def connect(self, address: CameraAddress, ip: IPAddress) -> None:
        """To exactly this IP, whatever the name resolves to by now. Raises `CameraError`."""
        loop = asyncio.get_running_loop()
        self._camera_ip = str(ip)
        is_tls = address.scheme == "rtsps"
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: self.wire,
                    str(ip),
                    address.port,
                    ssl=tls_context() if is_tls else None,
                    server_hostname=_server_name(address.host) if is_tls else None,
                )
        except (OSError, TimeoutError) as err:
            raise connect_failed(self.peer, err, CONNECT_TIMEOUT_S) from err

    @property
    def camera_ip(self) -> str:
        """The address at the other end."""
        return self._camera_ip

    async def request(self, method: str, url: str, headers: dict[str, str] | None = None) -> Message:
        """The reply, whatever its status. Answers a 401 once, and once more when only the nonce was stale.

        Raises `CameraError`: `timeout`, `unauthorized`, `closed`, `bad_stream`."""
        reply = await self._exchange(method, url, headers)
        answers = 0
        while reply.status == 401:
            has_credentials = self._authenticator.has_credentials
            challenge = self._authenticator.accept(reply.headers.get("www-authenticate", ()))
            if not has_credentials:
                raise unauthorized(self.peer, has_credentials)
            if challenge is None:
                raise bad_stream(self.peer, "asks for a kind of authentication that is not supported")
            if answers == 2 or (answers == 1 and not challenge.is_stale):
                raise unauthorized(self.peer, has_credentials)
            answers += 1
            reply = await self._exchange(method, url, headers)
        return reply

    async def _exchange(self, method: str, url: str, headers: dict[str, str] | None) -> Message:
        if self.ended.done():
            raise self.ended.result()
        self._waiting = asyncio.get_running_loop().create_future()
        self._waiting_cseq = self._send(method, url, headers or {})
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                await asyncio.wait((self._waiting, self.ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as err:
            raise no_reply(self.peer, method, REPLY_TIMEOUT_S) from err
        finally:
            waiting, self._waiting = self._waiting, None
        if waiting.done():
            return waiting.result()
        raise self.ended.result()

    def send(self, method: str, url: str, headers: dict[str, str], on_reply: Callable[[Message], None]) -> None:
        """Without waiting: keep-alives. `on_reply` replaces the one before."""
        self._on_late_reply = on_reply
        self._send(method, url, headers)

    def accept_challenge(self, reply: Message) -> None:
        """Take the fresh nonce of a 401 that answers a keep-alive, for the next one."""
        self._authenticator.accept(reply.headers.get("www-authenticate", ()))

    def _send(self, method: str, url: str, headers: dict[str, str]) -> int:
        self._cseq += 1
        authorization = self._authenticator.authorization(method, url)
        if authorization is not None:
            headers = {**headers, "Authorization": authorization}
        try:
            self.wire.send(format_request(method, url, self._cseq, headers))
        except ValueError as err:
            raise bad_stream(self.peer, "gave an address that can't be asked for") from err
        return self._cseq

    def _on_message(self, message: Message) -> None:
        if message.method:
            self._answer(message)
            return
        self.server = self.server or message.header("server")[:100]
        waiting = self._waiting
        if waiting is not None and not waiting.done() and message.cseq in (self._waiting_cseq, -1):
            if not 100 <= message.status < 200:
                waiting.set_result(message)
        elif self._on_late_reply is not None:
            self._on_late_reply(message)

    def _answer(self, request: Message) -> None:
        """A request of the camera's: being alive is all that we can do (RFC 2326 section 10, server to client)."""
        status = "200 OK" if request.method in ("OPTIONS", "GET_PARAMETER") else "501 Not Implemented"
        self.wire.send(f"RTSP/1.0 {status}\r\nCSeq: {max(0, request.cseq)}\r\n\r\n".encode("ascii"))

    async def say_goodbye(self, url: str, headers: dict[str, str], timeout_s: float) -> None:
        """TEARDOWN, waiting briefly so that the camera has read it before the connection closes."""
        if self.wire.is_closed:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        self._waiting_cseq = self._send("TEARDOWN", url, headers)
        await asyncio.wait((self._waiting,), timeout=timeout_s)
        self._waiting = None

    def end(self, error: CameraError) -> None:
        """Decide that it is over; whoever waits for `ended` closes."""
        if not self.ended.done():
            self.ended.set_result(error)

    def close(self) -> None:
        self.wire.close()


def _server_name(host: str) -> str:
    """For SNI; an IP address is passed too, since the ssl module wants one and leaves it out itself."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host

"""Media through the web process, for browsers that can't reach the media port: HTTP and WebSocket, byte for byte.

An ASGI app that the web process mounts at `/media/`; it forwards to the media service on this machine, which verifies
the token itself. `Host` and `Origin` go along untouched, so the media service decides about foreign pages as if it had
been asked directly; cookies and credentials of the site stay here. Constant memory; a browser that goes away ends the
request behind it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from recorder.media.request import wait_gone

log = logging.getLogger(__name__)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs addresses, and with them tokens

FORWARDED = frozenset(
    (b"host", b"origin", b"referer", b"sec-fetch-dest", b"range", b"if-range", b"accept", b"user-agent")
)
"""An allow-list: what the media service looks at, and no cookie."""
NOT_RETURNED = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"date", b"server"),
    )
)
"""Hop-by-hop (RFC 9110 7.6.1), and what the web server adds itself."""
METHODS = ("GET", "HEAD", "OPTIONS")
PATH = re.compile(r"/m/[A-Za-z0-9_.-]{1,1024}/[A-Za-z0-9_./-]{1,64}")
CONNECT_S = 5.0
READ_S = 90.0
"""Longest silence of the media service within an answer; a live picture has one every second."""
OPEN_S = 15.0
MAX_MESSAGE_BYTES = 64 << 20
QUEUED_MESSAGES = 4


class MediaProxy:
    """`MediaProxy(port)` as an ASGI app for paths `<root>/m/<token>/...`."""

    def __init__(
        self, port: int, host: str = "127.0.0.1", prefix: str = "/media", certificate: Path | None = None
    ) -> None:
        """`certificate`: PEM of the media service where it speaks HTTPS; exactly that one is accepted, by whatever
        name, for the connection stays on this machine."""
        self._authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._certificate = certificate
        self._tls: ssl.SSLContext | None = None
        self._prefix = prefix
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(self._prefix)
        if not PATH.fullmatch(path) or ".." in path:
            await _refuse(scope, receive, send, 404, b"There is no such address.")
            return
        query = scope.get("query_string", b"").decode("latin-1")
        address = f"{self._authority}{path}{'?' + query if query else ''}"
        if self._certificate is not None and self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._certificate)
            self._tls.check_hostname = False
        secure = "s" if self._tls else ""
        if scope["type"] == "websocket":
            await self._forward_websocket(scope, receive, send, f"ws{secure}://{address}")
        elif scope["method"] not in METHODS:
            await _refuse(scope, receive, send, 405, b"Only GET and HEAD.")
        else:
            await self._forward_http(scope, receive, send, f"http{secure}://{address}")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _forward_http(self, scope: dict[str, Any], receive: Any, send: Any, url: str) -> None:
        work = asyncio.create_task(self._answer(scope, send, url))
        gone = asyncio.create_task(wait_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        finally:
            work.cancel()
            gone.cancel()

    async def _answer(self, scope: dict[str, Any], send: Any, url: str) -> None:
        if self._client is None:
            timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
            verify = self._tls if self._tls is not None else True
            self._client = httpx.AsyncClient(timeout=timeout, limits=limits, trust_env=False, verify=verify)
        headers = [(name, value) for name, value in scope["headers"] if name in FORWARDED]
        has_started = False
        try:
            request = self._client.build_request(scope["method"], url, headers=headers)
            request.headers.setdefault("accept-encoding", "identity")
            answer = await self._client.send(request, stream=True)
            try:
                has_started = True
                kept = [(name.lower(), value) for name, value in answer.headers.raw]
                kept = [(name, value) for name, value in kept if name not in NOT_RETURNED]
                await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
                async for piece in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                await answer.aclose()
        except httpx.HTTPError as err:
            if has_started:
                raise  # an incomplete body must look like one
            log.warning("the media service doesn't answer: %s", type(err).__name__)
            await _send_plain(send, 502, b"The media service doesn't answer.")

    async def _forward_websocket(self, scope: dict[str, Any], receive: Any, send: Any, url: str) -> None:
        await receive()
        own = {name: value.decode("latin-1") for name, value in scope["headers"] if name in FORWARDED}
        try:
            upstream = await connect(
                url,
                ssl=self._tls,
                origin=own.get(b"origin"),
                additional_headers={"Host": own.get(b"host", self._authority)},
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=QUEUED_MESSAGES,
                open_timeout=OPEN_S,
                close_timeout=1,
                ping_interval=None,
                user_agent_header=None,
                proxy=None,
            )
        except (OSError, TimeoutError, InvalidHandshake):
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await send({"type": "websocket.accept"})
            down = asyncio.create_task(_pass_down(upstream, send))
            gone = asyncio.create_task(wait_gone(receive))
            try:
                await asyncio.wait({down, gone}, return_when=asyncio.FIRST_COMPLETED)
                if down.done() and not gone.done():
                    down.result()
                    await send({"type": "websocket.close", "code": upstream.close_code or 1011})
            finally:
                gone.cancel()
                down.cancel()
                with suppress(asyncio.CancelledError, Exception):  # what the browser's end broke is of no interest
                    await down
        finally:
            await upstream.close()


async def _pass_down(upstream: ClientConnection, send: Any) -> None:
    """Waits for a slow browser; the backlog then builds up, and is bounded, in the media service."""
    with suppress(ConnectionClosed):
        while True:
            message = await upstream.recv()
            kind = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", kind: message})


async def _refuse(scope: dict[str, Any], receive: Any, send: Any, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    else:
        await _send_plain(send, status, text)


async def _send_plain(send: Any, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})

"""The live routes: fMP4 over WebSocket, and JPEG pictures over HTTP. Called by `asgi` with a verified token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from recorder.media.broadcast import LiveError, LiveFragment, StreamState
from recorder.media.hub import LiveHub
from recorder.media.origin import SAFE_HEADERS
from recorder.media.request import Request, send_error, wait_gone
from recorder.media.rights import Rights
from recorder.media.viewer import Viewer
from recorder.media.websocket_protocol import EXTENSION

CLOSE_CUT = 4403
BOUNDARY = b"heron"
FIRST_JPEG_S = 12.0
"""Longer than the hub waits before it says why there is none."""

_SWITCHED_OFF = LiveError("stopped", "This camera is switched off, or has no such stream.")


async def serve_live(request: Request, stream: str, rights: Rights, hub: LiveHub) -> None:
    """WebSocket: a text message, then binary, until somebody has had enough."""
    claims, send, receive = request.claims, request.send, request.receive
    await send({"type": "websocket.accept"})
    viewer = Viewer(request.scope["extensions"][EXTENSION], claims.camera, stream, request.flag("audio"))

    def cut() -> None:
        viewer.on_error(LiveError("forbidden", "You may no longer watch this camera.", close_code=CLOSE_CUT))

    with rights.viewing(claims, stream, cut):
        channel = None
        if rights.is_desired(claims.camera, stream):
            kind = "playable" if request.wants_transcoding else "plain"
            channel = hub.join(f"{claims.camera}.{stream}", kind, viewer)
        else:
            viewer.on_error(_SWITCHED_OFF)
        gone = asyncio.create_task(wait_gone(receive))
        try:
            ends: set[asyncio.Future[Any]] = {gone, viewer.closed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if channel is not None:
                hub.leave(channel, viewer)
    if viewer.closed.done():
        try:
            async with asyncio.timeout(1):  # uvicorn waits until a slow reader has room for the close frame
                await send({"type": "websocket.close", "code": viewer.closed.result()})
        except TimeoutError:
            viewer.abort()


class _Pictures:
    """Keeps the newest picture for one slow or quick reader."""

    def __init__(self) -> None:
        self.is_started = False
        self.error: LiveError | None = None
        self._newest: bytes | None = None
        self._is_new = asyncio.Event()

    def start(self, state: StreamState, gop: Sequence[LiveFragment]) -> None:
        self.is_started = True
        self.on_fragment(gop[-1])

    def on_state(self, state: StreamState) -> None:
        pass

    def on_fragment(self, fragment: LiveFragment) -> None:
        self._newest = fragment.content
        self._is_new.set()

    def on_error(self, error: LiveError) -> None:
        self.error = error
        self._is_new.set()

    async def next(self) -> bytes | None:
        """None at the end."""
        await self._is_new.wait()
        self._is_new.clear()
        return None if self.error else self._newest


async def serve_mjpeg(request: Request, stream: str, rights: Rights, hub: LiveHub) -> None:
    claims, send = request.claims, request.send
    if not rights.is_desired(claims.camera, stream):
        await send_error(request, 404, _SWITCHED_OFF.code, _SWITCHED_OFF.detail)
        return
    pictures = _Pictures()

    def cut() -> None:
        pictures.on_error(LiveError("forbidden", "You may no longer watch this camera."))

    channel = hub.join(f"{claims.camera}.{stream}", "mjpeg", pictures)
    with rights.viewing(claims, stream, cut):
        try:
            image = None
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_JPEG_S):
                    image = await pictures.next()
            if image is None:
                error = pictures.error or LiveError("stalled", "The camera sends no picture at the moment.")
                status, extra = (503, [(b"retry-after", b"10")]) if error.close_code == 4503 else (404, [])
                await send_error(request, status, error.code, error.detail, headers=extra)
                return
            kind = b"multipart/x-mixed-replace; boundary=" + BOUNDARY
            await request.start(200, [(b"content-type", kind), *SAFE_HEADERS])
            while image is not None:
                head = b"--%b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (
                    BOUNDARY,
                    len(image),
                )
                await send({"type": "http.response.body", "body": head + image + b"\r\n", "more_body": True})
                image = await pictures.next()
            await send({"type": "http.response.body", "body": b"--" + BOUNDARY + b"--\r\n"})
        finally:
            hub.leave(channel, pictures)

"""The media service's ASGI application: verifies the token in the path, then live or playback.

Runs under uvicorn in a process of its own, and goes on with the database, the broker and the web service gone: it needs
only `VMS_HOME`. No cookie and no session; whoever has a token may see what it says, from pages of this host.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from recorder.archive.catalog import Catalog
from recorder.archive.exceptions import ArchiveError, FootageGone, NoFootage, iso_utc
from recorder.home import VmsHome
from recorder.media.ffmpeg_child import TranscodeSlots, TranscodingError
from recorder.media.hub import LiveHub
from recorder.media.inotify import Inotify
from recorder.media.live import serve_live, serve_mjpeg
from recorder.media.live_directory import LiveDirectory
from recorder.media.origin import SAFE_HEADERS, allowed_origin, preflight_headers
from recorder.media.playback import Forbidden, Playback
from recorder.media.request import BadRequest, Request, parse_query, send_error, wait_gone
from recorder.media.rights import Rights
from recorder.media.stills import StillFailed, Stills
from recorder.media.tokens import STREAMS, MediaClaims, TokenExpired, TokenRefused, verify_media_token

log = logging.getLogger(__name__)

USES = {
    "live": ("live",),
    "live.mjpeg": ("live",),
    "clip.mp4": ("clip", "playback"),
    "playlist.m3u8": ("playback", "clip"),
    "s": ("playback", "clip"),
    "span": ("playback",),
    "snapshot.jpg": ("snapshot", "playback", "live"),
}
"""Which tokens open which route."""
READ_METHODS = ("GET", "HEAD")


class MediaApp:
    """Everything is made in the running loop, by the lifespan event or by the first request."""

    def __init__(self, home: VmsHome, max_transcodes: int | None = None) -> None:
        self._home = home
        self._key = home.read_or_make_secret("media.key")
        self.rights = Rights(home.desired)
        self.slots = TranscodeSlots(max_transcodes)
        self._tasks: list[asyncio.Task[None]] = []
        self._inotify: Inotify | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live_through(receive, send)
            return
        if self._inotify is None:
            self._start()
        if scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            await self._serve_http(scope, receive, send)

    def _start(self) -> None:
        home = self._home
        self._inotify = Inotify()
        self.hub = LiveHub(home.run, LiveDirectory(home.live, self._inotify), self._inotify, self.slots)
        self.stills = Stills()
        self.playback = Playback(Catalog(lambda: self.rights.volumes), self.stills, self.slots)
        self.rights.refresh()
        self._tasks = [asyncio.create_task(self.rights.run()), asyncio.create_task(self.hub.run())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._inotify is not None:
            await self.hub.close()
            await self.stills.close()
            self._inotify.close()
            self._inotify = None

    async def _live_through(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _admit(self, scope: dict[str, Any]) -> tuple[MediaClaims, str]:
        """Claims and route of `/m/<token>/<route>`. Raises `TokenRefused`."""
        root, _, rest = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/").partition("/")
        token, _, route = rest.partition("/")
        if root != "m":
            raise TokenRefused("no media address")
        claims = verify_media_token(token, self._key, time.time())
        if claims.use not in USES.get(route.partition("/")[0], ()):
            raise TokenRefused("not for this")
        self.rights.refresh()
        if self.rights.is_cut(claims):
            raise TokenRefused("cut")
        return claims, route

    def _chosen_stream(self, claims: MediaClaims, query: dict[str, str]) -> str:
        """Raises `BadRequest`, `Forbidden`."""
        stream = query.get("stream") or ("main" if claims.stream == "*" else claims.stream)
        if stream not in STREAMS:
            raise BadRequest("stream is main or sub.")
        if not claims.allows_stream(stream):
            raise Forbidden
        return stream

    async def _serve_websocket(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        reason = b""
        try:
            origin = allowed_origin(scope["headers"])
            claims, route = self._admit(scope)
            if origin is None or route != "live":
                raise TokenRefused("a foreign page")
            request = Request(scope, receive, send, claims, origin, parse_query(scope))
            request.flag("audio")
            stream = self._chosen_stream(claims, request.query)
        except TokenExpired:
            reason = b"expired"
        except (TokenRefused, Forbidden, BadRequest):
            reason = b"forbidden"
        if reason:
            await send(
                {
                    "type": "websocket.http.response.start",
                    "status": 403,
                    "headers": [(b"content-type", b"text/plain")],
                }
            )
            await send({"type": "websocket.http.response.body", "body": reason})
            return
        await serve_live(request, stream, self.rights, self.hub)

    async def _serve_http(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/healthz":
            await _plain(send, 200, b"ok")
            return
        origin = allowed_origin(scope["headers"])
        if scope["method"] == "OPTIONS" and origin:
            await send({"type": "http.response.start", "status": 204, "headers": preflight_headers(origin)})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            claims, route = self._admit(scope)
            if origin is None:
                raise TokenRefused("a foreign page")
        except TokenExpired:
            await _plain(send, 403, b"expired", origin or "")
            return
        except TokenRefused as err:
            log.info("refused: %s", err)
            await _plain(send, 403, b"forbidden")
            return
        request = Request(scope, receive, send, claims, origin)
        work = asyncio.create_task(self._answer(request, route))
        gone = asyncio.create_task(wait_gone(receive))
        with self.rights.viewing(claims, None, work.cancel):
            try:
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work

    async def _answer(self, request: Request, route: str) -> None:
        try:
            if request.scope["method"] not in READ_METHODS:
                await send_error(request, 405, "method_not_allowed", "Only GET and HEAD.", [(b"allow", b"GET, HEAD")])
                return
            request.query = parse_query(request.scope)
            await self._dispatch(request, route, self._chosen_stream(request.claims, request.query))
        except Exception as err:  # the one place where a route's exception becomes an answer
            if request.has_started:
                if not isinstance(err, ArchiveError | TimeoutError | OSError):
                    log.exception("an answer broke off")
                return  # an incomplete body: uvicorn closes the connection, so the browser knows
            await _explain(request, err)

    async def _dispatch(self, request: Request, route: str, stream: str) -> None:
        routes: dict[str, Callable[..., Any]] = {
            "clip.mp4": self.playback.clip,
            "playlist.m3u8": self.playback.playlist,
            "span": self.playback.span,
            "snapshot.jpg": self.playback.snapshot,
        }
        if route == "live.mjpeg":
            await serve_mjpeg(request, stream, self.rights, self.hub)
        elif route.startswith("s/"):
            await self.playback.segment(request, stream, route)
        elif route in routes:
            await routes[route](request, stream)
        else:
            await send_error(request, 404, "not_found", "There is no such address.")


async def _explain(request: Request, err: Exception) -> None:
    match err:
        case NoFootage():
            before, after = (iso_utc(ms) if ms is not None else None for ms in err.nearest)
            nearest = {"before": before, "after": after}
            await send_error(request, 404, err.code, str(err), nearest=nearest)
        case FootageGone():
            await send_error(request, 404, err.code, str(err))
        case ArchiveError():
            await send_error(request, 409, err.code, str(err))
        case BadRequest():
            await send_error(request, 400, "invalid", str(err))
        case Forbidden():
            await _plain(request.send, 403, b"forbidden", request.origin)
        case TranscodingError():
            await send_error(request, 503, err.code, str(err), [(b"retry-after", b"10")])
        case StillFailed():
            await send_error(request, 502, "not_decodable", str(err))
        case _:
            log.exception("a request failed", exc_info=err)
            await send_error(request, 500, "error", "Something went wrong; the log says what.")


async def _plain(send: Any, status: int, text: bytes, origin: str = "") -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text)), *SAFE_HEADERS]
    if origin:
        headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def create_app(home: Path) -> MediaApp:
    """Raises `OSError` where `home` can't be used."""
    layout = VmsHome(Path(home).resolve())
    layout.make_directories()
    return MediaApp(layout)

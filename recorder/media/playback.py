"""The playback routes: clip, HLS, spans for the player and pictures of a moment. Called by `asgi` with verified tokens.

Everything is asked of `recorder.archive`; here it becomes HTTP. A token's own span bounds what may be asked for.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

from recorder.archive import clip as clips
from recorder.archive import frame_at, hls
from recorder.archive import span as spans
from recorder.archive.body import Body, FileRange
from recorder.archive.catalog import Catalog
from recorder.media.broadcast import mime_type
from recorder.media.ffmpeg_child import TranscodeSlots
from recorder.media.ranges import in_thread, send_body
from recorder.media.request import BadRequest, Request, send_bytes, send_error
from recorder.media.span_transcode import send_transcoded_span
from recorder.media.stills import Stills

SEGMENT_NAME = re.compile(r"s/([0-9]{1,15})-([0-9]{1,10})\.mp4")
SNAPSHOT_WIDTHS_PX = (16, 3840)
MP4 = b"video/mp4"
EDGE_MS = 120_000
"""How far a segment that a bounded token may fetch reaches beyond the span: a file and its last GOP."""


class Forbidden(Exception):
    """Outside of what the token allows."""


def asked_span(request: Request) -> tuple[int, int]:
    """`[from, to)` of the query, or of the token where the query leaves it out. Raises `BadRequest`, `Forbidden`."""
    claims = request.claims
    start, end = request.milliseconds("from"), request.milliseconds("to")
    start = claims.from_ms if start is None else start
    end = claims.to_ms if end is None else end
    if start is None or end is None:
        raise BadRequest("from and to are missing: instants in Unix milliseconds.")
    if end <= start:
        raise BadRequest("to must be later than from.")
    check_bounds(request, start, end)
    return start, end


def check_bounds(request: Request, start: int, end: int, edge_ms: int = 0) -> None:
    """Raises `Forbidden` where `[start, end)` is not within the token's span."""
    claims = request.claims
    if claims.from_ms is not None and start < claims.from_ms - edge_ms:
        raise Forbidden
    if claims.to_ms is not None and end > claims.to_ms + edge_ms:
        raise Forbidden


class Playback:
    def __init__(self, catalog: Catalog, stills: Stills, slots: TranscodeSlots) -> None:
        self._catalog = catalog
        self._stills = stills
        self._slots = slots

    async def clip(self, request: Request, stream: str) -> None:
        start, end = asked_span(request)
        camera = request.claims.camera
        with_audio = request.flag("audio", default=True)
        clip = await in_thread(clips.build_clip, self._catalog, camera, stream, start, end, with_audio=with_audio)
        name = datetime.fromtimestamp(start / 1000, UTC).strftime("%Y-%m-%d_%H-%M-%SZ")
        disposition = "inline" if request.flag("inline") else "attachment"
        headers = [
            (b"content-disposition", f'{disposition}; filename="{camera[:8]}-{stream}-{name}.mp4"'.encode()),
            (b"x-heron-start-ms", b"%d" % clip.spans[0][0]),
            (b"x-heron-end-ms", b"%d" % clip.spans[-1][1]),
        ]
        await send_body(request, clip.body, MP4, headers, clip.etag)

    async def playlist(self, request: Request, stream: str) -> None:
        start, end = asked_span(request)
        text = await in_thread(
            hls.build_playlist,
            self._catalog,
            request.claims.camera,
            stream,
            start,
            end,
            now_ms=int(time.time() * 1000),
            with_audio=request.flag("audio", default=True),
        )
        if request.claims.stream == "*":
            text = re.sub(r"(s/[0-9]+-[0-9]+\.mp4)(\?audio=0)?", lambda found: _with_stream(found, stream), text)
        await send_bytes(request, 200, b"application/vnd.apple.mpegurl", text.encode())

    async def segment(self, request: Request, stream: str, name: str) -> None:
        match = SEGMENT_NAME.fullmatch(name)
        if match is None:
            await send_error(request, 404, "not_found", "There is no such address.")
            return
        start_ms, epoch = map(int, match.groups())
        check_bounds(request, start_ms, start_ms, EDGE_MS)
        path = await in_thread(self._catalog.find, request.claims.camera, stream, start_ms, epoch)
        if path is None:
            await send_error(request, 404, "footage_gone", "This footage has been deleted meanwhile.")
            return
        await send_body(request, await in_thread(self._segment_body, path, request.flag("audio", True)), MP4)

    def _segment_body(self, path: Path, with_audio: bool) -> Body:
        if with_audio:
            return Body([FileRange(path, 0, _size_bytes(path))])
        indexed = self._catalog.indexes.segment(path)
        if indexed is None:
            raise spans.NoFootage
        return spans.video_only(indexed)[1]

    async def span(self, request: Request, stream: str) -> None:
        start, end = asked_span(request)
        span = await in_thread(
            spans.read_span,
            self._catalog,
            request.claims.camera,
            stream,
            start,
            end,
            keyframes_only=request.flag("keyframes"),
            with_audio=request.flag("audio"),
        )
        headers = [
            (b"x-heron-start-ms", b"%d" % span.start_ms),
            (b"x-heron-end-ms", b"%d" % span.end_ms),
            (b"x-heron-next-ms", b"%d" % span.next_ms if span.next_ms is not None else b""),
        ]
        is_g711 = span.audio is not None and span.audio.codec != "aac"
        if request.wants_transcoding and (is_g711 or span.video.codec != "h264"):
            await send_transcoded_span(request, span, headers, self._slots)
            return
        headers.append((b"x-heron-mime", mime_type(span.video, span.audio).encode()))
        await send_body(request, span.body, MP4, headers)

    async def snapshot(self, request: Request, stream: str) -> None:
        at_ms = request.milliseconds("at")
        if request.claims.use == "live" and at_ms is not None:
            raise Forbidden
        if at_ms is not None:
            check_bounds(request, at_ms, at_ms)
        elif request.claims.to_ms is not None:
            raise Forbidden  # "now" lies outside of a bounded token, or soon will
        width = request.query.get("w", "0")
        low, high = SNAPSHOT_WIDTHS_PX
        if width != "0" and not (re.fullmatch(r"[0-9]{1,5}", width) and low <= int(width) <= high):
            raise BadRequest(f"w is a width from {low} to {high} pixels.")
        source = await in_thread(frame_at.find_frame, self._catalog, request.claims.camera, stream, at_ms)
        image = await self._stills.decode(source, int(width))
        shown = (b"x-heron-start-ms", b"%d" % source.shown_ms)
        await send_bytes(request, 200, b"image/jpeg", image, [shown])


def _with_stream(found: re.Match[str], stream: str) -> str:
    return f"{found[1]}{found[2] + '&' if found[2] else '?'}stream={stream}"


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise spans.NoFootage from None

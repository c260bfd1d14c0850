"""A recorded span made playable on its way out: H.265 or MJPEG to H.264, G.711 to AAC; the archive stays untouched.

Nothing is held: reading waits for ffmpeg, ffmpeg for the browser. The length isn't known, so `Range` isn't offered.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from recorder.archive.span import Span
from recorder.fmp4 import FragmentScanner, build_init
from recorder.media.broadcast import AUDIO_TRACK, LiveFragment, mime_type
from recorder.media.ffmpeg_child import TranscodeSlots, TranscodingError
from recorder.media.origin import SAFE_HEADERS
from recorder.media.ranges import iter_body
from recorder.media.request import HeaderList, Request
from recorder.media.track_transcode import SoundTranscode, VideoTranscode
from recorder.samples import AudioParameters, VideoParameters

QUEUE_FRAGMENTS = 64
STUCK_S = 20.0
"""ffmpeg gives nothing for so long: something is wrong with the footage."""


class _Pipeline:
    """Reads the span, feeds the encoders, and queues what they give."""

    def __init__(self, span: Span) -> None:
        self.output: asyncio.Queue[LiveFragment | None] = asyncio.Queue()
        self.video: asyncio.Future[VideoParameters] = asyncio.get_running_loop().create_future()
        self.audio: AudioParameters | None = span.audio
        self._span = span
        self._taken = asyncio.Event()
        self._picture: VideoTranscode | None = None
        self._sound: SoundTranscode | None = None
        self._running = 1
        if span.video.codec != "h264":
            self._picture = VideoTranscode(
                span.video, self._on_video, self.output.put_nowait, self._on_end, self._wait_for_room
            )
            self._running += 1
        else:
            self.video.set_result(span.video)
        if span.audio is not None and span.audio.codec != "aac":
            try:
                self._sound = SoundTranscode(span.audio, self.output.put_nowait, self._on_end, self._wait_for_room)
                self.audio = self._sound.audio
                self._running += 1
            except ValueError:
                self.audio = None

    async def read(self) -> None:
        scanner = FragmentScanner()
        held, held_from = bytearray(), 0
        async for piece in iter_body(self._span.body):
            held += piece
            for found in scanner.feed(piece):
                start = found.offset - held_from
                content = bytes(held[start : start + found.length])
                await self._pass(LiveFragment(content, found.track, found.decode_time, found.is_keyframe))
                end = start + found.length
                del held[:end]
                held_from += end
        for child in (self._picture, self._sound):
            if child is not None:
                child.close_input()
        self._on_end("")

    async def _pass(self, fragment: LiveFragment) -> None:
        if fragment.track == AUDIO_TRACK:
            if self._sound is not None:
                self._sound.feed(fragment)
            elif self.audio is not None:
                self.output.put_nowait(fragment)
        elif self._picture is not None:
            await self._picture.feed_all(fragment)
        else:
            self.output.put_nowait(fragment)
        await self._wait_for_room()

    async def take(self) -> LiveFragment | None:
        """The next fragment; None at the end."""
        fragment = await self.output.get()
        self._taken.set()
        return fragment

    async def _wait_for_room(self) -> None:
        while self.output.qsize() > QUEUE_FRAGMENTS:
            self._taken.clear()
            await self._taken.wait()

    def stop(self) -> None:
        for child in (self._picture, self._sound):
            if child is not None:
                child.kill()

    def _on_video(self, video: VideoParameters) -> None:
        if not self.video.done():
            self.video.set_result(video)

    def _on_end(self, complaint: str) -> None:
        self._running -= 1
        if self._running == 0:
            if not self.video.done():
                self.video.set_exception(TranscodingError("This footage can't be converted for the browser."))
            self.output.put_nowait(None)


async def send_transcoded_span(request: Request, span: Span, headers: HeaderList, slots: TranscodeSlots) -> None:
    """Raises `TranscodingError` before anything was sent."""
    slots.take()
    reading: asyncio.Task[None] | None = None
    pipeline: _Pipeline | None = None
    try:
        pipeline = _Pipeline(span)
        reading = asyncio.create_task(pipeline.read())
        try:
            video = await asyncio.wait_for(asyncio.shield(pipeline.video), STUCK_S)
        except TimeoutError:
            raise TranscodingError("This footage can't be converted for the browser.") from None
        mime = (b"x-heron-mime", mime_type(video, pipeline.audio).encode())
        await request.start(200, [(b"content-type", b"video/mp4"), mime, *headers, *SAFE_HEADERS])
        body = build_init(video, pipeline.audio)
        while body:
            await request.send({"type": "http.response.body", "body": body, "more_body": True})
            fragment = await asyncio.wait_for(pipeline.take(), STUCK_S)
            body = fragment.content if fragment is not None else b""
        await request.send({"type": "http.response.body", "body": b""})
    finally:
        if reading is not None:
            reading.cancel()
        if pipeline is not None:
            pipeline.stop()
        slots.give_back()
        if reading is not None:
            with suppress(asyncio.CancelledError):
                await asyncio.gather(reading, return_exceptions=True)

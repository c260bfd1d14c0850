"""What a camera offers, for the probe: ask, and where the description leaves something open, watch for a moment.

Called by the API's probe; nothing is stored.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy
from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters, VideoParameters

from .failures import no_reply
from .session import RtspSession
from .target import RtspTarget


@dataclass(frozen=True, slots=True)
class Description:
    """The measured figures are `None` where nothing was watched or too little came."""

    video: VideoParameters
    audio: AudioParameters | None
    ignored: tuple[str, ...] = ()
    """Tracks that would not be recorded, by kind and encoding."""
    server: str = ""
    """What the camera calls itself."""
    frame_rate: float | None = None
    """Frames per second, measured."""
    gop_s: float | None = None
    """Seconds from keyframe to keyframe, measured."""
    bitrate_bps: int | None = None
    """Of the video, measured from keyframe to keyframe, else over what was seen."""


class _Watch:
    """A sink that counts until it has seen two keyframes."""

    def __init__(self) -> None:
        self.video: VideoParameters | None = None
        self.is_known = asyncio.Event()
        self.is_measured = asyncio.Event()
        self._times: list[int] = []
        self._sizes: list[int] = []
        self._keyframes: list[int] = []

    def on_parameters(self, video: VideoParameters | None, audio: AudioParameters | None) -> None:
        self.video = video
        self.is_known.set()

    def on_video(self, sample: bytes | bytearray, timestamp: int, is_keyframe: bool, arrived_ns: int) -> None:
        if len(self._times) > 3000:
            return
        if is_keyframe:
            self._keyframes.append(len(self._times))
            if len(self._keyframes) == 2:
                self.is_measured.set()
        self._times.append(timestamp)
        self._sizes.append(len(sample))

    def on_audio(self, sample: bytes | bytearray, timestamp: int, duration: int, arrived_ns: int) -> None: ...
    def on_loss(self, packets: int) -> None: ...
    def on_sender_report(self, is_video: bool, ntp_ns: int, timestamp: int, arrived_ns: int) -> None: ...

    def figures(self) -> tuple[float | None, float | None, int | None]:
        """Frame rate, GOP and bit rate."""
        times, keys = sorted(self._times), self._keyframes
        span = (times[-1] - times[0]) / VIDEO_CLOCK_HZ if len(times) > 4 else 0.0
        if span <= 0:
            return None, None, None
        rate = (len(times) - 1) / span
        gop_s = None
        first, stop = 0, len(times) - 1
        if len(keys) > 1:
            gop_s = (self._times[keys[1]] - self._times[keys[0]]) / VIDEO_CLOCK_HZ
            first, stop = keys[0], keys[1]
        bits = 8 * sum(self._sizes[first:stop])
        return round(rate, 2), gop_s and round(gop_s, 3), round(bits * rate / (stop - first))


async def describe(
    target: RtspTarget, policy: AddressPolicy, timeout_s: float = 9.5, *, watch_s: float = 0.0
) -> Description:
    """Ask a camera what it sends. Raises `CameraError`, within `timeout_s`.

    Plays the stream when its description lacks parameter sets, and, where `watch_s` is given, to measure for at
    most so long (two keyframes are enough)."""
    watch = _Watch()
    session = RtspSession(target, policy, watch)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    try:
        async with asyncio.timeout_at(deadline):
            tracks = await session.open()
            connection = session.connection
            if tracks.video_parameters is None or watch_s > 0:
                await session.play()
                await _wait(watch.is_known, connection.ended, deadline - loop.time())
                watch_until = min(deadline - 0.5, loop.time() + watch_s)
                if watch_until > loop.time():
                    try:
                        async with asyncio.timeout_at(watch_until):
                            await _wait(watch.is_measured, connection.ended, None)
                    except TimeoutError:
                        pass
    except TimeoutError as err:
        if not session.has_packets:
            raise no_reply(session.peer, "in full", timeout_s) from err
        raise CameraError(
            ErrorCode.NO_KEYFRAME, f"{session.peer} sends video, but no keyframe within {timeout_s:g} s."
        ) from err
    finally:
        server = session.server
        await session.close()
    video = watch.video or tracks.video_parameters
    if video is None:
        raise no_reply(target.address().host, "in full", timeout_s)
    return Description(video, tracks.audio_parameters, tuple(tracks.ignored), server, *watch.figures())


async def _wait(event: asyncio.Event, ended: asyncio.Future[CameraError], timeout_s: float | None) -> None:
    """Until the event; raises the error that ends the connection before, or `TimeoutError`."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((waiting, ended), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if event.is_set():
            return
        if ended.done():
            raise ended.result()
        raise TimeoutError
    finally:
        waiting.cancel()

"""What a camera at an address sends: looked at for a few seconds, nothing stored.

Called by the API before a camera is saved; runs in the web process on an event loop of its own, so that a camera that
is slow, silent or hostile costs one request thread for at most `TIMEOUT_S` and nothing else. RTSP is read by our own
client, everything else by libav in a child process that may die.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy, parse_camera_url
from recorder.rtsp import RtspTarget, describe
from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters, VideoParameters

TIMEOUT_S = 9.0
"""For everything; the API promises an answer within 10 s."""
WATCH_S = 5.0
"""How long samples are watched at most; two keyframes are enough."""
LONG_GOP_S = 4.0
"""Above this a viewer waits, seeking is coarse and a lost packet is seen for long."""
_MAX_SAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    transport: str = "tcp"


@dataclass(frozen=True, slots=True)
class Findings:
    """What one stream is. Figures that couldn't be measured are None."""

    video: VideoParameters
    audio: AudioParameters | None
    fps: float | None
    gop_s: float | None
    """Longest distance of two keyframes seen; None when fewer than two came."""
    bitrate_bps: int | None
    profile: str
    server: str
    warnings: tuple[str, ...]


async def probe_stream(target: ProbeTarget, policy: AddressPolicy, *, timeout_s: float = TIMEOUT_S) -> Findings:
    """Look at one stream. Raises `CameraError`; within `timeout_s` whatever the camera does."""
    address = parse_camera_url(target.url)
    rtsp = RtspTarget(target.url, target.username, target.password, target.transport)
    try:
        async with asyncio.timeout(timeout_s):
            if address.scheme in ("rtsp", "rtsps"):
                return await _probe_rtsp(rtsp, policy, timeout_s)
            return await _probe_libav(rtsp, policy)
    except TimeoutError as err:
        raise CameraError(
            ErrorCode.TIMEOUT, f"{address.host}:{address.port} gave no picture within {timeout_s:g} s."
        ) from err


async def _probe_rtsp(target: RtspTarget, policy: AddressPolicy, timeout_s: float) -> Findings:
    # Half a second to say goodbye: a camera may allow one session only, and be added next.
    found = await describe(target, policy, timeout_s - 0.5, watch_s=WATCH_S)
    return _findings(found.video, found.audio, found.frame_rate, found.gop_s, found.bitrate_bps, found.server)


async def _probe_libav(target: RtspTarget, policy: AddressPolicy) -> Findings:
    # Imports no libav: that is loaded in the child process, which may die.
    from recorder.capture.libav_source import LibavSource

    watcher = _Watcher()
    running = asyncio.create_task(LibavSource(target.url, target.username, target.password, policy, watcher).run())
    try:
        seen = asyncio.create_task(watcher.has_enough.wait())
        await asyncio.wait((running, seen), timeout=WATCH_S, return_when=asyncio.FIRST_COMPLETED)
        if watcher.video is None and not running.done():
            await asyncio.wait(
                (running, asyncio.create_task(watcher.is_known.wait())), return_when=asyncio.FIRST_COMPLETED
            )
        seen.cancel()
    finally:
        running.cancel()
        failure: CameraError | None = None
        try:
            await running
        except asyncio.CancelledError:
            pass
        except CameraError as err:
            failure = err
    if watcher.video is None:
        # An end after the first pictures is no error of the probe.
        raise failure or CameraError(ErrorCode.NO_VIDEO, "The source sends no video.")
    return _findings(watcher.video, watcher.audio, watcher.fps, watcher.gop_s, watcher.bitrate_bps, "")


class _Watcher:
    """A `SampleSink` that remembers sizes and times only."""

    def __init__(self) -> None:
        self.video: VideoParameters | None = None
        self.audio: AudioParameters | None = None
        self.is_known = asyncio.Event()
        self.has_enough = asyncio.Event()
        self._stamps: list[int] = []
        self._keyframes: list[int] = []
        self._size_bytes = 0
        self._first_ns = self._last_ns = 0

    def on_parameters(self, video: VideoParameters | None, audio: AudioParameters | None) -> None:
        self.video, self.audio = video or self.video, audio or self.audio
        if self.video is not None:
            self.is_known.set()

    def on_video(self, sample, timestamp: int, is_keyframe: bool, arrived_ns: int) -> None:
        if len(self._stamps) >= _MAX_SAMPLES:
            return
        self._first_ns, self._last_ns = self._first_ns or arrived_ns, arrived_ns
        self._stamps.append(timestamp)
        self._size_bytes += len(sample)
        if is_keyframe:
            self._keyframes.append(timestamp)
            # MJPEG is keyframes only: two of them say nothing about the rate.
            if len(self._keyframes) >= 2 and len(self._stamps) >= 25:
                self.has_enough.set()

    def on_audio(self, sample, timestamp: int, duration: int, arrived_ns: int) -> None:
        self._size_bytes += len(sample)

    def on_loss(self, packets: int) -> None: ...
    def on_sender_report(self, is_video: bool, ntp_ns: int, timestamp: int, arrived_ns: int) -> None: ...

    @property
    def fps(self) -> float | None:
        """From the median step, so that a lost frame doesn't bend it."""
        steps = [after - before for before, after in pairwise(sorted(self._stamps)) if after > before]
        return round(VIDEO_CLOCK_HZ / median(steps), 2) if len(steps) >= 3 else None

    @property
    def gop_s(self) -> float | None:
        steps = [(after - before) / VIDEO_CLOCK_HZ for before, after in pairwise(self._keyframes)]
        return round(max(steps), 3) if steps else None

    @property
    def bitrate_bps(self) -> int | None:
        watched_s = (self._last_ns - self._first_ns) / 1e9
        return round(self._size_bytes * 8 / watched_s) if watched_s > 0.5 else None


def _findings(
    video: VideoParameters,
    audio: AudioParameters | None,
    fps: float | None,
    gop_s: float | None,
    bitrate_bps: int | None,
    server: str,
) -> Findings:
    warnings = tuple(_warnings(video, audio, fps, gop_s))
    return Findings(video, audio, fps, gop_s, bitrate_bps, profile_of(video), server[:200], warnings)


def _warnings(
    video: VideoParameters, audio: AudioParameters | None, fps: float | None, gop_s: float | None
) -> Iterator[str]:
    if video.codec == "mjpeg":
        yield "MJPEG takes much more space than H.264 or H.265."
    elif gop_s is None:
        yield (
            f"No two keyframes came within {WATCH_S:g} s: switch off H.264+/H.265+ (smart codec), or shorten the "
            "keyframe interval to 1 to 2 s."
        )
    elif gop_s > LONG_GOP_S:
        yield f"Keyframes are {gop_s:g} s apart: 1 to 2 s make seeking and joining quick."
    if video.codec == "h265":
        yield "H.265: browsers that can't play it get a transcoded picture, which costs the server more."
    claimed = video.frame_rate
    if fps and claimed and not 0.75 <= fps / claimed <= 1.33:
        yield f"The camera announces {claimed:g} frames per second and sends {fps:g}."
    if audio is None:
        yield "No audio."


_H264_PROFILES = {66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2"}
_H265_PROFILES = {1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Range Extensions"}


def profile_of(video: VideoParameters) -> str:
    """The codec's profile by name (ISO 14496-10 annex A, 23008-2 annex A), "" when it isn't known."""
    parts = video.rfc6381.split(".")
    try:
        if video.codec == "h264":
            return _H264_PROFILES.get(int(parts[1][:2], 16), "")
        if video.codec == "h265":
            return _H265_PROFILES.get(int(parts[1].lstrip("ABC")), "")
    except (IndexError, ValueError):
        pass
    return ""

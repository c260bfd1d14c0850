"""One live stream to many viewers: fed by a follower or a transcoder, serialised once, never slowed by anybody.

Keeps the fragments since the last keyframe, so that who comes gets a picture at once. Loop's thread only; nothing
here awaits. A subscriber that can't keep up is its own business: see `viewer.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.fmp4 import build_init, parse_init
from recorder.media.websocket_protocol import binary_frame, text_frame
from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters, VideoParameters

VIDEO_TRACK = 1
AUDIO_TRACK = 2
FRESH_S = 5.0
"""A newest frame older than this isn't shown as live. Longer than any reorder depth and upload hiccup."""
MAX_GOP_BYTES = 24 << 20
"""Of one stream, in memory while somebody watches. Whoever joins a longer GOP waits for the next keyframe."""


@dataclass(frozen=True, slots=True)
class LiveError:
    """Why there is no picture: `code` for programs, `detail` for a person."""

    code: str
    detail: str
    since: str | None = None
    """ISO 8601, UTC."""
    close_code: int = 4404

    def frame(self) -> bytes:
        return text_frame(json.dumps({"error": self.code, "detail": self.detail, "since": self.since}))


class LiveFragment:
    """One `moof` + `mdat`; its WebSocket frame is built when the first viewer needs it."""

    __slots__ = ("_frame", "content", "decode_time", "is_keyframe", "track")

    def __init__(self, content: bytes, track: int, decode_time: int, is_keyframe: bool) -> None:
        self.content = content
        self.track = track
        self.decode_time = decode_time
        self.is_keyframe = is_keyframe and track == VIDEO_TRACK
        self._frame: bytes | None = None

    @property
    def media(self) -> bytes:
        """What is inside the `mdat`, its samples one after the other."""
        return self.content[int.from_bytes(self.content[:4], "big") + 8 :]

    @property
    def frame(self) -> bytes:
        if self._frame is None:
            self._frame = binary_frame(self.content)
        return self._frame


class StreamState:
    """The tracks of a stream as its init segment says, in the forms viewers need."""

    def __init__(self, init: bytes) -> None:
        self.init = init
        self.video, self.audio = parse_init(init)
        self._frames: dict[bool, bytes] = {}

    @property
    def has_playable_audio(self) -> bool:
        """G.711 has no place in a browser's MP4."""
        return self.audio is not None and self.audio.codec == "aac"

    @property
    def needs_transcoding(self) -> bool:
        """Whether a browser without H.265 would miss the picture or the sound."""
        is_video_fine = self.video is None or self.video.codec == "h264"
        return not is_video_fine or (self.audio is not None and not self.has_playable_audio)

    def mime(self, with_audio: bool) -> str:
        return mime_type(self.video, self.audio if with_audio and self.has_playable_audio else None)

    def init_frame(self, with_audio: bool) -> bytes:
        with_audio = with_audio and self.has_playable_audio
        if with_audio not in self._frames:
            content = self.init if with_audio or self.audio is None else build_init(self.video, None)
            self._frames[with_audio] = binary_frame(content)
        return self._frames[with_audio]


def mime_type(video: VideoParameters | None, audio: AudioParameters | None) -> str:
    codecs = [video.rfc6381 or "mp4v.6C"] if video else []
    if audio is not None and audio.rfc6381:
        codecs.append(audio.rfc6381)
    return f'video/mp4; codecs="{",".join(codecs)}"'


class Subscriber(Protocol):
    is_started: bool

    def start(self, state: StreamState, gop: Sequence[LiveFragment]) -> None:
        """The picture is there: parameters and the fragments since the last keyframe. Sets `is_started`."""

    def on_state(self, state: StreamState) -> None:
        """New parameters; a keyframe follows. Only when started."""

    def on_fragment(self, fragment: LiveFragment) -> None:
        """Only when started."""

    def on_error(self, error: LiveError) -> None:
        """No picture any more, or none at all; the subscriber is dropped."""


class Broadcast:
    def __init__(self) -> None:
        self.state: StreamState | None = None
        self.subscribers: set[Subscriber] = set()
        self.moved_at = time.monotonic()
        """`time.monotonic()` of the last fresh video fragment, or of the beginning."""
        self.has_failed = False
        """Nobody may join any more; the next viewer gets a new broadcast."""
        self._gop: list[LiveFragment] = []
        self._gop_bytes = 0
        self._is_fresh = False

    def subscribe(self, subscriber: Subscriber) -> None:
        self.subscribers.add(subscriber)
        if self._is_fresh and time.monotonic() - self.moved_at < FRESH_S:
            self._start(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self.subscribers.discard(subscriber)

    def publish_init(self, init: bytes) -> None:
        """Raises `ValueError` where the init segment can't be understood."""
        self.state = StreamState(init)
        self._clear_gop()
        for subscriber in list(self.subscribers):
            if subscriber.is_started:
                subscriber.on_state(self.state)

    def publish(self, fragment: LiveFragment) -> None:
        if fragment.is_keyframe:
            self._clear_gop()
        if self._gop or fragment.is_keyframe:
            self._gop.append(fragment)
            self._gop_bytes += len(fragment.content)
            if self._gop_bytes > MAX_GOP_BYTES:
                self._clear_gop()
        if fragment.track == VIDEO_TRACK:
            self._is_fresh = time.time() - fragment.decode_time / VIDEO_CLOCK_HZ < FRESH_S
            if self._is_fresh:
                self.moved_at = time.monotonic()
        for subscriber in list(self.subscribers):
            if subscriber.is_started:
                subscriber.on_fragment(fragment)
            elif self._is_fresh:
                self._start(subscriber)

    def stop(self) -> None:
        """No open segment any more; whoever waits goes on waiting."""
        self._clear_gop()
        self._is_fresh = False

    def fail(self, error: LiveError) -> None:
        self.stop()
        self.has_failed = True
        subscribers, self.subscribers = self.subscribers, set()
        for subscriber in subscribers:
            subscriber.on_error(error)

    def _start(self, subscriber: Subscriber) -> None:
        if self.state is not None and self._gop:
            subscriber.start(self.state, self._gop)

    def _clear_gop(self) -> None:
        self._gop = []
        self._gop_bytes = 0

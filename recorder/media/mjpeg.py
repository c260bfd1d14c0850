"""JPEG pictures of a live stream, for browsers with neither MSE nor WebCodecs: small, few, and made once for all.

A subscriber of the plain broadcast. A camera that sends JPEG itself is passed through, without a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ffmpeg

from recorder.fmp4 import build_init
from recorder.media.broadcast import VIDEO_TRACK, Broadcast, LiveError, LiveFragment, StreamState
from recorder.media.ffmpeg_child import (
    MAX_PENDING_BYTES,
    FfmpegChild,
    TranscodeSlots,
    TranscodingError,
    mp4_input,
)
from recorder.media.live_transcode import CLOSE_TRY_LATER

RATE = 8
WIDTH_PX = 640
MAX_JPEG_BYTES = 4 << 20


class MjpegFeed:
    """Publishes `LiveFragment`s whose content is a JPEG image, each a keyframe."""

    def __init__(self, target: Broadcast, slots: TranscodeSlots) -> None:
        self.is_started = False
        self._target = target
        self._slots = slots
        self._has_slot = False
        self._child: FfmpegChild | None = None
        self._is_jpeg = False
        self._is_skipping = False
        self._held = bytearray()
        self._newest = 0

    def start(self, state: StreamState, gop: Sequence[LiveFragment]) -> None:
        self.is_started = True
        self.on_state(state)
        for fragment in gop:
            self.on_fragment(fragment)

    def on_state(self, state: StreamState) -> None:
        self._end_child()
        self._target.publish_init(state.init)
        self._is_jpeg = state.video is not None and state.video.codec == "mjpeg"
        if self._is_jpeg or state.video is None:
            return
        try:
            if not self._has_slot:
                self._slots.take()
                self._has_slot = True
            self._child = FfmpegChild(_graph(), self._on_output, self._on_child_end)
            self._child.feed(build_init(state.video, None))
        except TranscodingError as err:
            self._target.fail(LiveError(err.code, str(err), close_code=CLOSE_TRY_LATER))

    def on_fragment(self, fragment: LiveFragment) -> None:
        if fragment.track != VIDEO_TRACK:
            return
        self._newest = fragment.decode_time
        if self._is_jpeg:
            self._publish(fragment.content[int.from_bytes(fragment.content[:4], "big") + 8 :])
        elif self._child is not None:
            if fragment.is_keyframe:
                self._is_skipping = self._child.waiting_bytes > MAX_PENDING_BYTES // 4
            elif self._child.waiting_bytes > MAX_PENDING_BYTES:
                self._is_skipping = True
            if not self._is_skipping:
                self._child.feed(fragment.content)

    def on_error(self, error: LiveError) -> None:
        self._target.fail(error)

    def stop(self) -> None:
        self._end_child()
        if self._has_slot:
            self._slots.give_back()
            self._has_slot = False

    def _publish(self, image: bytes) -> None:
        self._target.publish(LiveFragment(image, VIDEO_TRACK, self._newest, True))

    def _on_output(self, content: bytes) -> None:
        """Takes apart `mpjpeg`: boundary, headers with the length, image."""
        held = self._held
        held += content
        while (end := held.find(b"\r\n\r\n", 0, 1024)) >= 0:
            head = bytes(held[:end]).lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n")[0]) if at >= 0 else MAX_JPEG_BYTES + 1
            if size > MAX_JPEG_BYTES:
                raise ValueError("not a stream of JPEG images")
            if len(held) < end + 4 + size:
                return
            image = bytes(held[end + 4 : end + 4 + size])
            del held[: end + 4 + size]
            self._publish(image)

    def _on_child_end(self, complaint: str) -> None:
        self._end_child()
        self._target.fail(
            LiveError("transcode_failed", "The conversion of this stream ended.", close_code=CLOSE_TRY_LATER)
        )

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._held.clear()


def _graph() -> Any:
    picture = mp4_input()["v:0"].filter("fps", RATE).filter("scale", f"min({WIDTH_PX},iw)", -2)
    return ffmpeg.output(
        picture, "pipe:1", format="mpjpeg", vcodec="mjpeg", pix_fmt="yuvj420p", flush_packets=1, **{"q:v": 6}
    )

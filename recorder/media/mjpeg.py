"""JPEG pictures of a live stream, for browsers with neither MSE nor WebCodecs: small, few, and made once for all.

A camera that sends JPEG itself is passed through, without a process.
"""

from __future__ import annotations

from typing import Any

import ffmpeg

from recorder.fmp4 import build_init
from recorder.media.broadcast import VIDEO_TRACK, Broadcast, LiveFragment, StreamState
from recorder.media.ffmpeg_child import FfmpegChild, TranscodeSlots, TranscodingError, mp4_input
from recorder.media.live_conversion import LiveConversion

RATE = 8
WIDTH_PX = 640
MAX_JPEG_BYTES = 4 << 20


class MjpegFeed(LiveConversion):
    """Publishes `LiveFragment`s whose content is a JPEG image, each a keyframe."""

    def __init__(self, target: Broadcast, slots: TranscodeSlots) -> None:
        super().__init__(target, slots)
        self._child: FfmpegChild | None = None
        self._is_jpeg = False
        self._held = bytearray()
        self._newest = 0

    def on_state(self, state: StreamState) -> None:
        self._end_children()
        self._target.publish_init(state.init)
        self._is_jpeg = state.video is not None and state.video.codec == "mjpeg"
        if self._is_jpeg or state.video is None:
            return
        try:
            self._take_slot()
            self._child = FfmpegChild(_graph(), self._on_output, self._on_child_end)
            self._child.feed(build_init(state.video, None))
        except TranscodingError as err:
            self._fail(err)

    def on_fragment(self, fragment: LiveFragment) -> None:
        if fragment.track != VIDEO_TRACK:
            return
        self._newest = fragment.decode_time
        if self._is_jpeg:
            self._publish(fragment.media)
        elif self._child is not None:
            self._child.feed_frame(fragment.content, fragment.is_keyframe)

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

    def _end_children(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._held.clear()


def _graph() -> Any:
    picture = mp4_input()["v:0"].filter("fps", RATE).filter("scale", f"min({WIDTH_PX},iw)", -2)
    return ffmpeg.output(
        picture, "pipe:1", format="mpjpeg", vcodec="mjpeg", pix_fmt="yuvj420p", flush_packets=1, **{"q:v": 6}
    )

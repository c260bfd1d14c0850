"""One viewer's end of a live stream: what a browser gets over its WebSocket, and how far it may fall behind.

First a text message (parameters), then binary: init segment, the GOP on disk, fragment after fragment. A viewer who
doesn't read keeps at most `MAX_WAITING_BYTES` (or two GOPs, if they are larger) waiting here; then frames are left
out until a keyframe finds its queue nearly empty, and after `MAX_BEHIND_S` it is dropped. Others notice nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

from recorder.archive.exceptions import iso_utc
from recorder.media.broadcast import AUDIO_TRACK, LiveError, LiveFragment, StreamState
from recorder.media.websocket_protocol import FrameWriter, text_frame
from recorder.samples import VIDEO_CLOCK_HZ

MAX_WAITING_BYTES = 1 << 20
RESUME_BYTES = 64 << 10
"""A viewer is in step again when no more than this waits at a keyframe."""
MAX_BEHIND_S = 10.0
CLOSE_TOO_SLOW = 4408


class Viewer:
    """`closed` resolves to a WebSocket close code when the viewer is to be let go."""

    def __init__(self, writer: FrameWriter, camera: str, stream: str, wants_audio: bool) -> None:
        self.is_started = False
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.skipped_fragments = 0
        self._writer = writer
        self._camera = camera
        self._stream = stream
        self._wants_audio = wants_audio
        self._state: StreamState | None = None
        self._behind_since: float | None = None
        self._needs_state = False
        self._gop_bytes = 0
        self._limit_bytes = MAX_WAITING_BYTES

    def start(self, state: StreamState, gop: Sequence[LiveFragment]) -> None:
        self.is_started = True
        self._send_state(state, gop[-1])
        self._writer.write_all([fragment.frame for fragment in gop if self._takes(fragment)])
        self._gop_bytes = sum(len(fragment.content) for fragment in gop)
        self._limit_bytes = max(MAX_WAITING_BYTES, 2 * self._gop_bytes)

    def on_state(self, state: StreamState) -> None:
        self._state = state
        self._needs_state = True

    def on_fragment(self, fragment: LiveFragment) -> None:
        if not self._takes(fragment):
            return
        waiting_bytes = self._writer.waiting_bytes
        if fragment.is_keyframe:
            self._limit_bytes = max(MAX_WAITING_BYTES, 2 * self._gop_bytes)
            self._gop_bytes = 0
            if self._behind_since is not None and waiting_bytes <= RESUME_BYTES:
                self._behind_since = None
        self._gop_bytes += len(fragment.content)
        if self._behind_since is None and waiting_bytes > self._limit_bytes:
            self._behind_since = time.monotonic()
        if self._behind_since is not None:
            self.skipped_fragments += 1
            if time.monotonic() - self._behind_since > MAX_BEHIND_S:
                self._close(CLOSE_TOO_SLOW)
            return
        if self._needs_state and self._state is not None:
            self._send_state(self._state, fragment)
        self._writer.write(fragment.frame)

    def on_error(self, error: LiveError) -> None:
        self._writer.write(error.frame())
        self._close(error.close_code)

    def abort(self) -> None:
        """Drop the connection with all that waits for it."""
        self._writer.abort()

    def _takes(self, fragment: LiveFragment) -> bool:
        return fragment.track != AUDIO_TRACK or (
            self._wants_audio and self._state is not None and self._state.has_playable_audio
        )

    def _send_state(self, state: StreamState, newest: LiveFragment) -> None:
        self._state, self._needs_state = state, False
        video, audio = state.video, state.audio
        edge_s = newest.decode_time / VIDEO_CLOCK_HZ if newest.track != AUDIO_TRACK else time.time()
        edge_ms = int(edge_s * 1000)
        description = {
            "mime": state.mime(self._wants_audio),
            "codec": video.codec if video else None,
            "width": video.width_px if video else None,
            "height": video.height_px if video else None,
            "fps": video.frame_rate if video else None,
            "camera": self._camera,
            "stream": self._stream,
            "has_audio": state.has_playable_audio and self._wants_audio,
            "audio_codec": audio.codec if audio else None,
            "needs_transcoding": state.needs_transcoding,
            "live_edge": iso_utc(edge_ms),
            "live_edge_ms": edge_ms,
        }
        self._writer.write_all([text_frame(json.dumps(description)), state.init_frame(self._wants_audio)])

    def _close(self, code: int) -> None:
        if not self.closed.done():
            self.closed.set_result(code)

"""ffmpeg as a child process with pipes: found, started, limited in number, and gone when it isn't wanted any more.

Command lines come from ffmpeg-python; camera bytes go in by stdin, so no address and no password is in an argv. A
child runs at nice 10. It ends with its stdin, so none outlives the media service, however that dies.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import ffmpeg

from recorder.ffmpeg_binary import find_ffmpeg_binary
from recorder.piped_process import PipedProcess, start_piped

log = logging.getLogger(__name__)

DEFAULT_LIMIT = 4
"""Transcodes at once. 1080p15 costs about half a core; sane: 1 to the number of cores times 2."""
READ_BYTES = 64 * 1024
MAX_PENDING_BYTES = 8 << 20
"""What may wait to be read by a live child before frames are left out."""
GLOBAL_ARGUMENTS = ("-hide_banner", "-nostdin", "-loglevel", "error")


class TranscodingError(Exception):
    """No transcode for now: `code` for programs, `str()` for a person."""

    code = "transcode_failed"


class TranscodeLimitReached(TranscodingError):
    code = "transcode_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This server already converts {limit} streams for browsers, as many as it may. Try again when one of them "
            "is closed, choose the other stream of the camera, or raise VMS_MAX_TRANSCODES."
        )


class FfmpegMissing(TranscodingError):
    code = "ffmpeg_missing"

    def __init__(self) -> None:
        super().__init__("ffmpeg is not installed: apt-get install ffmpeg, or pip install imageio-ffmpeg.")


def find_ffmpeg() -> str:
    """Path of the ffmpeg program. Raises `FfmpegMissing`."""
    path = find_ffmpeg_binary()
    if path is None:
        raise FfmpegMissing
    return path


class TranscodeSlots:
    """The cap on transcodes. Loop's thread only."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = int(os.environ.get("VMS_MAX_TRANSCODES") or DEFAULT_LIMIT) if limit is None else limit
        self.used = 0

    def take(self) -> None:
        """Raises `TranscodeLimitReached`."""
        if self.used >= self.limit:
            raise TranscodeLimitReached(self.limit)
        self.used += 1

    def give_back(self) -> None:
        self.used -= 1


class FfmpegChild:
    """One ffmpeg between `feed` and `on_output`; `on_end` is called once unless `kill` comes first."""

    def __init__(
        self, graph: Any, on_output: Callable[[bytes], Awaitable[None] | None], on_end: Callable[[str], None]
    ) -> None:
        """`graph` is an output of ffmpeg-python. Raises `FfmpegMissing`."""
        arguments = graph.global_args(*GLOBAL_ARGUMENTS).compile(cmd=find_ffmpeg())
        self._arguments = ["nice", "-n", "10", *arguments]
        self._on_output = on_output
        self._on_end = on_end
        self._pending: list[bytes] = []
        self._child: PipedProcess | None = None
        self._is_input_closed = False
        self._is_skipping = False
        self._task = asyncio.create_task(self._run())

    @property
    def waiting_bytes(self) -> int:
        """Fed, and not yet in the child's pipe."""
        if self._child is None:
            return sum(map(len, self._pending))
        return self._child.stdin.transport.get_write_buffer_size()

    def feed(self, content: bytes) -> None:
        """Never waits; look at `waiting_bytes`."""
        if self._child is None:
            self._pending.append(content)
        elif not self._child.stdin.is_closing():
            self._child.stdin.write(content)

    def feed_frame(self, content: bytes, is_keyframe: bool) -> None:
        """Never waits: what the child can't take in time is left out, up to the next keyframe."""
        if is_keyframe:
            self._is_skipping = self.waiting_bytes > MAX_PENDING_BYTES // 4
        elif self.waiting_bytes > MAX_PENDING_BYTES:
            self._is_skipping = True
        if not self._is_skipping:
            self.feed(content)

    async def feed_all(self, content: bytes) -> None:
        """Waits while the child is behind."""
        self.feed(content)
        if self._child is not None:
            with suppress(ConnectionError):
                await self._child.stdin.drain()

    def close_input(self) -> None:
        """Nothing more comes; the child finishes and `on_end` is called."""
        self._is_input_closed = True
        if self._child is not None:
            self._child.stdin.close()

    def kill(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        complaint: asyncio.Task[bytes] | None = None
        child = self._child = await start_piped(*self._arguments, stderr=asyncio.subprocess.PIPE)
        try:
            complaint = asyncio.create_task(_read_tail(child.process.stderr))
            for content in self._pending:
                self.feed(content)
            self._pending.clear()
            if self._is_input_closed:
                self.close_input()
            try:
                while content := await child.stdout.read(READ_BYTES):
                    waits = self._on_output(content)
                    if waits is not None:
                        await waits
                text = (await complaint).decode(errors="replace").strip()
            except ValueError as err:
                text = f"its output makes no sense: {err}"
            if text:
                log.warning("ffmpeg: %s", text.splitlines()[-1][:300])
            self._on_end(text)
        finally:
            if complaint is not None:
                complaint.cancel()
            await child.end()


async def _read_tail(stream: asyncio.StreamReader | None) -> bytes:
    tail = b""
    while stream is not None and (content := await stream.read(4096)):
        tail = (tail + content)[-2048:]
    return tail


def mp4_input() -> Any:
    """Fragments from stdin as they come: no probing beyond the init segment, timestamps kept.

    (`nobuffer` would throw away what probing reads, the keyframe; `probesize=32` breaks the demuxer.)"""
    return ffmpeg.input("pipe:0", format="mp4", copyts=None, threads=1, analyzeduration=0, fpsprobesize=0)

"""Pictures of a moment, decoded in child processes: a stream that crashes a decoder costs one picture.

The children stay for a while, for starting one costs more than most pictures. A child that doesn't answer in time is
killed. Loop's thread only.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import sys

from recorder.archive.frame_at import FrameSource
from recorder.media.ranges import in_thread
from recorder.piped_process import PipedProcess, start_piped

log = logging.getLogger(__name__)

WORKER = "recorder.media.still_worker"
CHILDREN = 2
TIMEOUT_S = 5.0
IDLE_S = 60.0
MAX_INPUT_BYTES = 64 << 20
MAX_JPEG_BYTES = 32 << 20
REQUEST = struct.Struct(">IIQ")
"""Bytes that follow, width limit in px (0: none), presentation time in ticks."""
ANSWER = struct.Struct(">BI")
"""1 for a JPEG or 0 for a sentence; bytes that follow."""


class StillFailed(Exception):
    """No picture could be made; a sentence."""


class Stills:
    def __init__(self, limit: int = CHILDREN) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[PipedProcess] = []
        self._retire: asyncio.TimerHandle | None = None

    async def decode(self, source: FrameSource, width_px: int) -> bytes:
        """JPEG of the frame, at most `width_px` wide (0: as it is). Raises `StillFailed`, `FootageGone`."""
        if source.body.length > MAX_INPUT_BYTES:
            raise StillFailed("The group of pictures around this moment is too large.")
        content = await in_thread(source.body.read, 0, source.body.length)
        async with self._slots:
            child = self._idle.pop() if self._idle else await start_piped(sys.executable, "-m", WORKER)
            is_good = False
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    child.stdin.write(REQUEST.pack(len(content), width_px, source.ticks) + content)
                    await child.stdin.drain()
                    has_picture, size = ANSWER.unpack(await child.stdout.readexactly(ANSWER.size))
                    if size > MAX_JPEG_BYTES:
                        raise StillFailed("The picture is too large.")
                    answer = await child.stdout.readexactly(size)
                is_good = True
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as err:
                log.warning("a picture could not be decoded: %s", type(err).__name__)
                raise StillFailed("This picture could not be decoded.") from err
            finally:
                if is_good:
                    self._keep(child)
                else:
                    await child.end()
        if not has_picture:
            raise StillFailed("This picture could not be decoded.")
        return answer

    async def close(self) -> None:
        if self._retire is not None:
            self._retire.cancel()
        idle, self._idle = self._idle, []
        for child in idle:
            await child.end()

    def _keep(self, child: PipedProcess) -> None:
        self._idle.append(child)
        if self._retire is not None:
            self._retire.cancel()
        self._retire = asyncio.get_running_loop().call_later(IDLE_S, self._retire_all)

    def _retire_all(self) -> None:
        idle, self._idle = self._idle, []
        for child in idle:
            child.stdin.close()  # it ends by itself

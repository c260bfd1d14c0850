"""Tails one stream's open segment file and hands on whole fragments as capture appends them.

One follower per watched stream, however many watch; none for a stream that nobody watches. The symlink
`run/live/<camera>.<stream>` names the open file; inotify tells growth and the link's change. When capture starts the
next segment the old file is read to its end first, so no fragment is lost or repeated. Loop's thread only; the one
long read (finding the last GOP at the start) is done in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recorder.fmp4 import Fragment, FragmentScanner, read_segment_index
from recorder.media.inotify import IN_CLOSE_WRITE, IN_MODIFY, Inotify, Watch

log = logging.getLogger(__name__)

READ_BYTES = 256 * 1024
MAX_INIT_BYTES = 1 << 20
MAX_FRAGMENT_BYTES = 64 << 20
"""A file that holds more than this without a whole fragment isn't ours; the follower gives up on it."""
SWITCH_WAIT_S = 0.25
"""How long the old file may still get its last fragments once the link names the next one."""
RETRY_S = 0.5


class FragmentSink(Protocol):
    def on_init(self, init: bytes) -> None:
        """A new init segment: at the start, and whenever it differs from the last one."""

    def on_fragment(self, content: bytes, fragment: Fragment) -> None:
        """A whole fragment, `moof` and `mdat`, in the order of the file. Offsets are not the file's."""

    def on_stopped(self) -> None:
        """The stream has no open segment any more; `on_fragment` may come again later."""


@dataclass(slots=True)
class _OpenFile:
    """One segment file being read."""

    target: str
    fd: int
    position: int
    scanner: FragmentScanner
    held: bytearray
    """Bytes fed to the scanner of which no whole fragment has come yet."""
    held_from: int
    """Scanner offset of `held[0]`."""
    watch: Watch | None = None
    has_init: bool = False


class Follower:
    """`start()` once, `stop()` once; the sink is called in between."""

    def __init__(self, live_directory: Path, key: str, inotify: Inotify, sink: FragmentSink) -> None:
        self._link = live_directory / key
        self._inotify = inotify
        self._sink = sink
        self._file: _OpenFile | None = None
        self._init = b""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._grown: asyncio.Event | None = None
        """Set by growth of the old file while a switch waits for its end."""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._close()

    def on_link_changed(self) -> None:
        """The entry in the live directory was replaced or removed."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._follow_link()
            except (OSError, ValueError) as err:
                log.warning("%s: open segment can't be read: %s", self._link.name, err)
                self._close()
                await asyncio.sleep(RETRY_S)
                continue
            await self._wake.wait()

    async def _follow_link(self) -> None:
        try:
            target = str(self._link.parent / self._link.readlink())
        except FileNotFoundError:
            target = ""
        old = self._file
        if old is not None:
            if old.target == target:
                self._drain()
                return
            await self._finish_old(old)
            self._close()
        if not target:
            self._sink.on_stopped()
            return
        try:
            fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            # A link left behind by a crash, or the segment was closed this instant: the link changes soon.
            self._sink.on_stopped()
            return
        self._file = _OpenFile(target, fd, 0, FragmentScanner(), bytearray(), 0)
        if old is None:
            await self._start_at_last_keyframe(self._file)
        # By number: the file may have been renamed since.
        self._file.watch = self._inotify.watch(f"/proc/self/fd/{fd}", IN_MODIFY | IN_CLOSE_WRITE, self._on_modified)
        self._drain()

    async def _start_at_last_keyframe(self, file: _OpenFile) -> None:
        """Skip to the last GOP, so that a viewer who joins late in a segment doesn't wait for all of it."""
        index = await asyncio.to_thread(read_segment_index, file.fd)
        samples = index.video
        if samples is None or not len(samples.keyframes):
            return
        file.position = file.held_from = samples.fragment_offsets[samples.keyframes[-1]]
        file.scanner = FragmentScanner(index.init, file.position)
        self._announce(file)

    async def _finish_old(self, old: _OpenFile) -> None:
        """Read what capture still had to write; its order is: last frame, new link, old trailer."""
        self._grown = asyncio.Event()
        try:
            async with asyncio.timeout(SWITCH_WAIT_S):
                while True:
                    self._grown.clear()
                    self._drain()
                    if old.scanner.has_ended:
                        return
                    await self._grown.wait()
        except TimeoutError:
            pass  # the writer died, or the trailer waits for a slow disk
        finally:
            self._grown = None

    def _on_modified(self, mask: int, name: str) -> None:
        if self._grown is not None:
            self._grown.set()
            return
        try:
            self._drain()
        except (OSError, ValueError) as err:
            log.warning("%s: open segment can't be read: %s", self._link.name, err)
            self._close()
            self._wake.set()

    def _drain(self) -> None:
        file = self._file
        if file is None or file.scanner.has_ended:
            return
        while True:
            content = os.pread(file.fd, READ_BYTES, file.position)
            if not content:
                return
            file.position += len(content)
            self._feed(file, content)
            if len(content) < READ_BYTES or file.scanner.has_ended:
                return

    def _feed(self, file: _OpenFile, content: bytes) -> None:
        fragments = file.scanner.feed(content)
        file.held += content
        if not file.has_init:
            init = file.scanner.init
            if not init:
                if len(file.held) > MAX_INIT_BYTES:
                    raise ValueError("no init segment at its start")
                return
            self._announce(file)
        for fragment in fragments:
            start = fragment.offset - file.held_from
            self._sink.on_fragment(bytes(file.held[start : start + fragment.length]), fragment)
        if fragments:
            end = fragments[-1].offset + fragments[-1].length
            del file.held[: end - file.held_from]
            file.held_from = end
        elif len(file.held) > MAX_FRAGMENT_BYTES:
            raise ValueError("a fragment without end")

    def _announce(self, file: _OpenFile) -> None:
        file.has_init = True
        if file.scanner.init != self._init:
            self._init = file.scanner.init or b""
            self._sink.on_init(self._init)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            if file.watch is not None:
                self._inotify.unwatch(file.watch)
            os.close(file.fd)

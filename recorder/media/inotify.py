"""inotify(7) for the media service's event loop: called back when a file grows or a directory entry changes.

One instance per process; no thread, no polling. Bound with ctypes because no dependency earns its place for three
system calls. Callbacks run in the loop's thread.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

IN_MODIFY = 0x00000002
IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_Q_OVERFLOW = 0x00004000
IN_IGNORED = 0x00008000

_EVENT = struct.Struct("iIII")
_READ_BYTES = 65536

_libc = ctypes.CDLL(None, use_errno=True)

Callback = Callable[[int, str], None]
"""Gets the event's mask and, for directories, the entry's name. An overflow of the queue comes to every watch with
`IN_Q_OVERFLOW` and no name: look at everything again."""


@dataclass(eq=False, slots=True)
class Watch:
    number: int
    callback: Callback


class Inotify:
    """Open it in a running loop, `close()` it there."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _os_error("inotify_init1")
        self._watches: dict[int, list[Watch]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._on_readable)

    def watch(self, path: str, mask: int, callback: Callback) -> Watch:
        """Raises `OSError`; ENOSPC means that `fs.inotify.max_user_watches` is used up."""
        number = _libc.inotify_add_watch(self._fd, os.fsencode(path), mask)
        if number < 0:
            raise _os_error(path)
        watch = Watch(number, callback)
        self._watches.setdefault(number, []).append(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Idempotent."""
        others = self._watches.get(watch.number, [])
        if watch in others:
            others.remove(watch)
            if not others:
                del self._watches[watch.number]
                _libc.inotify_rm_watch(self._fd, watch.number)  # EINVAL where the file is gone already: fine

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._watches.clear()

    def _on_readable(self) -> None:
        try:
            events = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        position = 0
        while position < len(events):
            number, mask, _cookie, name_bytes = _EVENT.unpack_from(events, position)
            position += _EVENT.size + name_bytes
            if mask & IN_Q_OVERFLOW:
                targets = [watch for watches in self._watches.values() for watch in watches]
            elif mask & IN_IGNORED:
                self._watches.pop(number, None)
                continue
            else:
                targets = list(self._watches.get(number, ()))
            name = events[position - name_bytes : position].rstrip(b"\0") if name_bytes else b""
            for watch in targets:
                watch.callback(mask, os.fsdecode(name))


def _os_error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)

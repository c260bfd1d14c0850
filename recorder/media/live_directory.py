"""Tells followers when their stream's link in `run/live` is replaced or removed: one inotify watch for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recorder.media.inotify import IN_CREATE, IN_DELETE, IN_MOVED_FROM, IN_MOVED_TO, IN_Q_OVERFLOW, Inotify

_MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO


class LiveDirectory:
    def __init__(self, path: Path, inotify: Inotify) -> None:
        """Makes the directory if it isn't there (capture may start later). Raises `OSError`."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._listeners: dict[str, Callable[[], None]] = {}
        inotify.watch(str(path), _MASK, self._on_event)

    def listen(self, key: str, callback: Callable[[], None]) -> None:
        self._listeners[key] = callback

    def forget(self, key: str) -> None:
        self._listeners.pop(key, None)

    def _on_event(self, mask: int, name: str) -> None:
        if mask & IN_Q_OVERFLOW:
            for callback in list(self._listeners.values()):
                callback()
        elif name in self._listeners:
            self._listeners[name]()

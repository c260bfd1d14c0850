"""Clips that were just built, so that the range requests of one player or download get the same bytes at once.

Used by the media service. A clip that reaches into an open file would grow from one request to the next; here it
stays as it was for `OPEN_CLIP_S`. Thread-safe; blocking, call it in a thread.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from recorder.archive.catalog import Catalog
from recorder.archive.clip import Clip, build_clip

HELD_BYTES = 128 << 20
"""Bound of the heads (`moov`) held; an hour's has about 0.8 MB, a day's 20 MB. Sane: 16 MB to 1 GB."""
OPEN_CLIP_S = 30.0
"""How long a clip of footage that is still growing is answered unchanged. Sane: a player's start to a minute."""
CLOSED_CLIP_S = 600.0
"""The same for a clip of closed files; files that vanish meanwhile raise `FootageGone` when they are read."""


@dataclass(frozen=True, slots=True)
class _Held:
    clip: Clip
    built_at_s: float


class ClipStore:
    """The latest clips of a catalogue."""

    def __init__(
        self, catalog: Catalog, *, max_bytes: int = HELD_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._catalog = catalog
        self._max_bytes = max_bytes
        self._clock = clock
        self._held: OrderedDict[tuple[str, str, int, int, bool], _Held] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def get(self, camera: str, stream: str, from_ms: int, to_ms: int, *, with_audio: bool = True) -> Clip:
        """As `build_clip`, with its exceptions."""
        key = (camera, stream, from_ms, to_ms, with_audio)
        with self._lock:
            held = self._held.get(key)
            if held is not None and self._is_fresh(held):
                self._held.move_to_end(key)
                return held.clip
        clip = build_clip(self._catalog, camera, stream, from_ms, to_ms, with_audio=with_audio)
        with self._lock:
            self._drop(key)
            self._held[key] = _Held(clip, self._clock())
            self._held_bytes += clip.head_bytes
            while self._held_bytes > self._max_bytes and len(self._held) > 1:
                self._drop(next(iter(self._held)))
        return clip

    def _is_fresh(self, held: _Held) -> bool:
        age_s = self._clock() - held.built_at_s
        return age_s < (CLOSED_CLIP_S if held.clip.is_final else OPEN_CLIP_S)

    def _drop(self, key: tuple[str, str, int, int, bool]) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._held_bytes -= held.clip.head_bytes

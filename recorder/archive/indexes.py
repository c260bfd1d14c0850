"""Sample indexes of segment files, read when asked for and kept in a bounded cache.

A complete file never changes, so its index holds as long as the file is the same one. An open file grows: its index
is read again when its size has changed, at most once per `GROWTH_S` and file. Thread-safe; a file is read outside
the lock, so a slow disk stalls only who asked for it.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from recorder.archive import seek
from recorder.archive.body import open_segment
from recorder.fmp4 import SegmentIndex, TrackSamples, parse_init, read_segment_index
from recorder.samples import AudioParameters, VideoParameters

CACHE_BYTES = 48 << 20
"""Bound of the cache; 60 s of 25 fps video with 50 audio packets/s cost about 170 kB. Sane: 8 MB to 512 MB."""
GROWTH_S = 0.1
"""How stale the index of an open file may be; sane: a frame interval to a GOP."""
BYTES_PER_SAMPLE = 40
"""Of the parallel arrays of `TrackSamples`, with some slack."""


@dataclass(frozen=True, slots=True)
class IndexedSegment:
    """A readable segment with at least one video keyframe, in a codec of ours."""

    path: Path
    index: SegmentIndex
    video: TrackSamples
    video_parameters: VideoParameters
    audio_parameters: AudioParameters | None
    start_ms: int
    """UTC ms of the first keyframe, rounded down."""
    end_ms: int
    """UTC ms at which the last frame ends, rounded up."""


class IndexCache:
    """Indexes by path. `reads` counts the real ones, for tests and metrics."""

    def __init__(self, max_bytes: int = CACHE_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._held: OrderedDict[Path, _Held] = OrderedDict()
        self._held_bytes = 0
        self._ends: OrderedDict[Path, tuple[tuple[int, ...], tuple[int, int] | None]] = OrderedDict()
        self._lock = threading.Lock()
        self.reads = 0

    def segment(self, path: Path) -> IndexedSegment | None:
        """None where the file holds no video that could be shown (torn before its first keyframe, foreign bytes).
        Raises `FootageGone` where it isn't there any more, `OSError` where the disk fails."""
        with self._lock:
            held = self._held.get(path)
        if held is not None and held.is_complete and _identity_of(path) == held.identity:
            self._touch(path)
            return held.segment
        fd = open_segment(path)
        try:
            status = os.fstat(fd)
            identity = _identity(status)
            if held is not None and (held.identity == identity or self._is_fresh(held, identity)):
                return held.segment
            segment = _read(fd, path) if stat.S_ISREG(status.st_mode) else None
        finally:
            os.close(fd)
        self._keep(path, identity, segment)
        return segment

    def bounds(self, path: Path) -> tuple[int, int] | None:
        """`(start_ms, end_ms)` of a segment, from a larger cache than the indexes'. Else as `segment`."""
        with self._lock:
            known = self._ends.get(path)
        if known is not None and _identity_of(path) == known[0]:
            return known[1]
        segment = self.segment(path)
        return (segment.start_ms, segment.end_ms) if segment else None

    def _is_fresh(self, held: _Held, identity: tuple[int, ...]) -> bool:
        is_same_file = held.identity[:2] == identity[:2]
        return is_same_file and not held.is_complete and self._clock() - held.read_at_s < GROWTH_S

    def _touch(self, path: Path) -> None:
        with self._lock:
            if path in self._held:
                self._held.move_to_end(path)

    def _keep(self, path: Path, identity: tuple[int, ...], segment: IndexedSegment | None) -> None:
        is_complete = segment is not None and segment.index.is_complete
        held = _Held(identity, segment, is_complete, _cost_bytes(segment), self._clock())
        with self._lock:
            self.reads += 1
            if (old := self._held.pop(path, None)) is not None:
                self._held_bytes -= old.cost_bytes
            self._held[path] = held
            self._held_bytes += held.cost_bytes
            while self._held_bytes > self._max_bytes and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._held_bytes -= dropped.cost_bytes
            self._ends[path] = (identity, (segment.start_ms, segment.end_ms) if segment else None)
            self._ends.move_to_end(path)
            while len(self._ends) > MAX_BOUNDS:
                self._ends.popitem(last=False)


MAX_BOUNDS = 65_536
"""Files whose bounds are remembered, about 300 bytes each."""


@dataclass(frozen=True, slots=True)
class _Held:
    identity: tuple[int, ...]
    segment: IndexedSegment | None
    is_complete: bool
    cost_bytes: int
    read_at_s: float


def _read(fd: int, path: Path) -> IndexedSegment | None:
    try:
        index = read_segment_index(fd)
        video_parameters, audio_parameters = parse_init_once(index.init)
    except ValueError:
        return None
    video = index.video
    if video is None or video_parameters is None or not video.keyframes:
        return None
    start_ms = seek.presentation_ms(video, video.keyframes[0])
    end_ms = max(seek.end_ms(video), start_ms + 1)
    return IndexedSegment(path, index, video, video_parameters, audio_parameters, start_ms, end_ms)


parse_init_once = lru_cache(maxsize=64)(parse_init)
"""A camera's files share their init segment for days."""


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _identity_of(path: Path) -> tuple[int, ...] | None:
    try:
        return _identity(os.lstat(path))
    except FileNotFoundError:
        return None


def _cost_bytes(segment: IndexedSegment | None) -> int:
    if segment is None:
        return 512
    audio = len(segment.index.audio.sizes) if segment.index.audio else 0
    return 4096 + BYTES_PER_SAMPLE * (len(segment.video.sizes) + audio)

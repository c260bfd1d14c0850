"""Directory listings of volumes, cached by modification time; the catalogue's only view of the file system's tree.

A listing is believed while the directory's mtime stands still, and only once it has stood still for `SETTLE_NS`: two
changes within one tick of the file system's clock leave the same mtime. Foreign names never enter a listing.
Links aren't followed: a link in a volume could lead out of it. Thread-safe.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.archive.layout import (
    HOUR_MS,
    SegmentName,
    parse_day,
    parse_hour,
    parse_segment_name,
    stream_directory,
)

logger = logging.getLogger(__name__)

SETTLE_NS = 1_000_000_000
"""How old a directory's mtime must be before its listing may be kept; sane: 20 ms (ext4's tick) to 2 s (FAT's)."""
MAX_DIRECTORIES = 8192
"""Bound of the cache, in directories; an hour of 60 s segments costs about 10 kB, so about 80 MB at most."""


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """A segment as its directory shows it; nothing has been opened."""

    path: Path
    name: SegmentName


class ListingCache:
    """Listings of day and hour directories. `listings_read` counts the real ones, for tests and metrics."""

    def __init__(self, max_directories: int = MAX_DIRECTORIES) -> None:
        self._max = max_directories
        self._cached: OrderedDict[str, tuple[int, int, tuple]] = OrderedDict()
        self._lock = threading.Lock()
        self.listings_read = 0

    def days(self, root: Path) -> tuple[tuple[int, str], ...]:
        """(start in UTC ms, path) of each day directory, rising; empty where `root` doesn't exist."""
        return self._list(str(root), _read_days)

    def hours(self, day: str, day_ms: int) -> tuple[tuple[int, str], ...]:
        """(start in UTC ms, path) of each hour directory of a day, rising."""
        return tuple((day_ms + hour * HOUR_MS, path) for hour, path in self._list(day, _read_hours))

    def segments(self, hour: str, hour_ms: int) -> tuple[ListedSegment, ...]:
        """The segments of one hour, rising by start and epoch; those that belong elsewhere are foreign. A complete
        file hides an open one of its name."""
        listed = self._list(hour, _read_segments)
        return tuple(entry for entry in listed if hour_ms <= entry.name.start_ms < hour_ms + HOUR_MS)

    def _list(self, directory: str, read: Callable[[str], tuple]) -> tuple:
        try:
            status = os.lstat(directory)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as err:  # a lost disk must not hide the footage on the others
            logger.warning("directory unreadable: %s: %s", directory, err.strerror)
            return ()
        with self._lock:
            known = self._cached.get(directory)
            if known is not None and known[:2] == (status.st_mtime_ns, status.st_ino):
                self._cached.move_to_end(directory)
                return known[2]
        # The stat came first: a change during the listing makes the cached mtime the older one.
        try:
            listed = read(directory)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as err:
            logger.warning("directory unreadable: %s: %s", directory, err.strerror)
            return ()
        with self._lock:
            self.listings_read += 1
            if time.time_ns() - status.st_mtime_ns > SETTLE_NS:
                self._cached[directory] = (status.st_mtime_ns, status.st_ino, listed)
                self._cached.move_to_end(directory)
                while len(self._cached) > self._max:
                    self._cached.popitem(last=False)
        return listed


class StreamListing:
    """All volumes' footage of one stream as one sequence of hours, walked without listing what isn't asked for."""

    def __init__(self, cache: ListingCache, volumes: tuple[Path, ...], camera: str, stream: str) -> None:
        """Raises `ValueError` for a camera or stream that can't be."""
        self._cache = cache
        self._roots = [stream_directory(volume, camera, stream) for volume in volumes]

    def between(self, first_ms: int, last_ms: int) -> list[ListedSegment]:
        """Segments whose name starts in `[first_ms, last_ms)`, rising. Lists the hours of that span only."""
        found = [
            entry
            for hour_ms, hour in self._hours(first_ms, last_ms)
            for entry in self._cache.segments(hour, hour_ms)
            if first_ms <= entry.name.start_ms < last_ms
        ]
        found.sort(key=_order)
        return found

    def back_from(self, before_ms: int) -> Iterator[list[ListedSegment]]:
        """Hours with footage that starts before `before_ms`, the latest first; lists one more per step."""
        for _, paths in self._hours_by_start(before_ms, newest_first=True):
            found = [
                entry
                for hour_ms, hour in paths
                for entry in self._cache.segments(hour, hour_ms)
                if entry.name.start_ms < before_ms
            ]
            if found:
                yield sorted(found, key=_order)

    def forward_from(self, first_ms: int) -> Iterator[list[ListedSegment]]:
        """Hours with footage that starts at or after `first_ms`, the earliest first."""
        for _, paths in self._hours_by_start(first_ms, newest_first=False):
            found = [
                entry
                for hour_ms, hour in paths
                for entry in self._cache.segments(hour, hour_ms)
                if entry.name.start_ms >= first_ms
            ]
            if found:
                yield sorted(found, key=_order)

    def _hours(self, first_ms: int, last_ms: int) -> Iterator[tuple[int, str]]:
        for root in self._roots:
            for day_ms, day in self._cache.days(root):
                if day_ms + 24 * HOUR_MS <= first_ms or day_ms >= last_ms:
                    continue
                for hour_ms, hour in self._cache.hours(day, day_ms):
                    if hour_ms + HOUR_MS > first_ms and hour_ms < last_ms:
                        yield hour_ms, hour

    def _hours_by_start(self, at_ms: int, *, newest_first: bool) -> Iterator[tuple[int, list[tuple[int, str]]]]:
        """Hour directories on the wanted side of `at_ms`, those of one hour on several volumes together."""
        days: dict[int, list[str]] = {}
        for root in self._roots:
            for day_ms, day in self._cache.days(root):
                if day_ms < at_ms if newest_first else day_ms + 24 * HOUR_MS > at_ms:
                    days.setdefault(day_ms, []).append(day)
        for day_ms in sorted(days, reverse=newest_first):
            hours: dict[int, list[tuple[int, str]]] = {}
            for day in days[day_ms]:
                for hour_ms, hour in self._cache.hours(day, day_ms):
                    if hour_ms < at_ms if newest_first else hour_ms + HOUR_MS > at_ms:
                        hours.setdefault(hour_ms, []).append((hour_ms, hour))
            for hour_ms in sorted(hours, reverse=newest_first):
                yield hour_ms, hours[hour_ms]


def _order(entry: ListedSegment) -> tuple[int, int]:
    return entry.name.start_ms, entry.name.epoch


def _directories(directory: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry


def _read_days(root: str) -> tuple[tuple[int, str], ...]:
    return tuple(
        sorted((day_ms, entry.path) for entry in _directories(root) if (day_ms := parse_day(entry.name)) is not None)
    )


def _read_hours(day: str) -> tuple[tuple[int, str], ...]:
    return tuple(
        sorted((hour, entry.path) for entry in _directories(day) if (hour := parse_hour(entry.name)) is not None)
    )


def _read_segments(hour: str) -> tuple[ListedSegment, ...]:
    found: dict[tuple[int, int], ListedSegment] = {}
    with os.scandir(hour) as entries:
        for entry in entries:
            name = parse_segment_name(entry.name)
            if name is None or not entry.is_file(follow_symlinks=False):
                continue
            key = (name.start_ms, name.epoch)
            if key not in found or not name.is_open:
                found[key] = ListedSegment(Path(entry.path), name)
    return tuple(found[key] for key in sorted(found))

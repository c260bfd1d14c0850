"""Which footage lies on the disks, found without any database.

Used by the media service (playback), and by whoever must answer while the database is away. A question lists the
directories of its own span and no others, and opens the files it returns, once. Foreign and unreadable files are
passed over; those that vanish meanwhile (retention) too. Thread-safe, blocking: call it in a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.archive import seek
from recorder.archive.exceptions import FootageGone
from recorder.archive.indexes import IndexCache, IndexedSegment
from recorder.archive.layout import SegmentName
from recorder.archive.listing import ListedSegment, ListingCache, StreamListing
from recorder.archive.winners import Claim, Won, resolve_winners

logger = logging.getLogger(__name__)

LONGEST_SEGMENT_MS = 600_000
"""Files that start at most this long before a span are all asked whether they reach it (several epochs may);
beyond it only the latest one. Sane: the segment length and a long GOP, doubled."""
NAME_ERROR_MS = 60_000
"""How far a file's first keyframe may be from the start in its name; a torn beginning costs a GOP or two."""
MAX_HOURS_BACK = 48
"""How many hours with unusable files a search for the nearest footage walks through before it gives up."""


@dataclass(frozen=True, slots=True)
class SegmentRef:
    """A file and the part of it that the timeline shows, `[start_ms, end_ms)` in UTC ms."""

    path: Path
    named_ms: int
    """The start in the file's name."""
    epoch: int
    is_open: bool
    start_ms: int
    end_ms: int
    is_cut_at_start: bool
    """Another file shows what this one holds before `start_ms`."""
    is_cut_at_end: bool
    """Another file shows what this one holds from `end_ms` on."""


class Catalog:
    """Footage of all cameras on the volumes that `volumes()` names at each call."""

    def __init__(
        self,
        volumes: Callable[[], Sequence[Path]],
        *,
        listings: ListingCache | None = None,
        indexes: IndexCache | None = None,
    ) -> None:
        self._volumes = volumes
        self.listings = listings or ListingCache()
        self.indexes = indexes or IndexCache()

    def segments(self, camera: str, stream: str, start_ms: int, end_ms: int) -> list[SegmentRef]:
        """What shows `[start_ms, end_ms)`: disjoint, rising, one winner per instant; the open file is among them.
        The first and last may reach beyond the span. Raises `ValueError` for a camera or stream that can't be."""
        return list(self.iter_segments(camera, stream, start_ms, end_ms))

    def iter_segments(self, camera: str, stream: str, start_ms: int, end_ms: int) -> Iterator[SegmentRef]:
        """The same one by one: a file is opened shortly before its turn."""
        listing = self._listing(camera, stream)
        if end_ms <= start_ms:
            return iter(())
        return self._resolve(self._candidates(listing, start_ms, end_ms), start_ms, end_ms)

    def nearest(self, camera: str, stream: str, at_ms: int) -> tuple[int | None, int | None]:
        """UTC ms of the last frame shown at or before `at_ms`, and of the first frame of the next file that starts
        after it; None where there is none. For the answer to a span without footage; lists an hour each way."""
        listing = self._listing(camera, stream)
        return self._last_before(listing, at_ms), self._first_after(listing, at_ms)

    def bounds(self, camera: str, stream: str) -> tuple[int, int] | None:
        """UTC ms of the earliest frame and of the end of the latest one; None where nothing is recorded."""
        listing = self._listing(camera, stream)
        first = next(self._usable(listing.forward_from(0)), None)
        if first is None:
            return None
        last = max((bounds[1] for _, bounds in self._latest(listing.back_from(1 << 62))), default=first[1])
        return first[0], last

    def indexed(self, ref: SegmentRef) -> IndexedSegment | None:
        """The file's samples; None if it can't be shown. Raises `FootageGone`, `OSError`."""
        return self.indexes.segment(ref.path)

    def find(self, camera: str, stream: str, start_ms: int, epoch: int) -> Path | None:
        """The file of that name (as in `s/<start_ms>-<epoch>.mp4`), open or complete; None where it isn't."""
        listed = self._listing(camera, stream).between(start_ms, start_ms + 1)
        found = [entry for entry in listed if entry.name.epoch == epoch]
        return min(found, key=lambda entry: entry.name.is_open).path if found else None

    def _listing(self, camera: str, stream: str) -> StreamListing:
        return StreamListing(self.listings, tuple(self._volumes()), camera, stream)

    def _candidates(self, listing: StreamListing, start_ms: int, end_ms: int) -> list[ListedSegment]:
        found = listing.between(start_ms - LONGEST_SEGMENT_MS, end_ms)
        if not found or found[0].name.start_ms > start_ms:
            earlier = next(listing.back_from(start_ms - LONGEST_SEGMENT_MS), [])
            found = earlier[-1:] + found
        return found

    def _resolve(self, found: list[ListedSegment], start_ms: int, end_ms: int) -> Iterator[SegmentRef]:
        ordered = sorted(found, key=_preference)
        for span in resolve_winners(self._claims(ordered, start_ms, end_ms)):
            if span.end_ms > start_ms and span.start_ms < end_ms:
                yield _ref(ordered[span.claim.position], span)

    def _claims(self, ordered: list[ListedSegment], start_ms: int, end_ms: int) -> Iterator[Claim]:
        claimed: SegmentName | None = None
        for position, entry in enumerate(ordered):
            name = SegmentName(entry.name.start_ms, entry.name.epoch)
            bounds = self._bounds(entry) if name != claimed else None  # else a copy on another volume
            if bounds is None:
                continue
            claimed = name
            if bounds[1] > start_ms and bounds[0] < end_ms:
                yield Claim(*bounds, name.epoch, position)

    def _bounds(self, entry: ListedSegment) -> tuple[int, int] | None:
        try:
            bounds = self.indexes.bounds(entry.path)
        except FootageGone:
            return None
        except OSError as err:
            logger.warning("segment unreadable: %s: %s", entry.name, err.strerror)
            return None
        if bounds is not None and abs(bounds[0] - entry.name.start_ms) > NAME_ERROR_MS:
            return None  # renamed or damaged: what it holds wasn't recorded then
        return bounds

    def _usable(self, hours: Iterator[list[ListedSegment]]) -> Iterator[tuple[int, int]]:
        for _, hour in zip(range(MAX_HOURS_BACK), hours, strict=False):
            for entry in hour:
                if (bounds := self._bounds(entry)) is not None:
                    yield bounds

    def _latest(self, hours: Iterator[list[ListedSegment]]) -> list[tuple[ListedSegment, tuple[int, int]]]:
        """The usable files of the last hour that has any, without those that start long before the latest one."""
        for _, hour in zip(range(MAX_HOURS_BACK), hours, strict=False):
            usable: list[tuple[ListedSegment, tuple[int, int]]] = []
            for entry in reversed(hour):
                if usable and entry.name.start_ms < usable[0][0].name.start_ms - LONGEST_SEGMENT_MS:
                    break
                if (bounds := self._bounds(entry)) is not None:
                    usable.append((entry, bounds))
            if usable:
                return usable
        return []

    def _last_before(self, listing: StreamListing, at_ms: int) -> int | None:
        shown: list[int] = []
        for entry, bounds in self._latest(listing.back_from(at_ms + 1)):
            try:
                segment = self.indexes.segment(entry.path) if bounds[0] <= at_ms else None
            except (FootageGone, OSError):
                segment = None
            if segment is not None and (frame := seek.frame_shown_at(segment.video, at_ms)) is not None:
                shown.append(seek.presentation_ms(segment.video, frame))
        return max(shown, default=None)

    def _first_after(self, listing: StreamListing, at_ms: int) -> int | None:
        return next((first for first, _ in self._usable(listing.forward_from(at_ms)) if first > at_ms), None)


def _preference(entry: ListedSegment) -> tuple[int, int, bool]:
    return entry.name.start_ms, entry.name.epoch, entry.name.is_open


def _ref(entry: ListedSegment, won: Won) -> SegmentRef:
    return SegmentRef(
        path=entry.path,
        named_ms=entry.name.start_ms,
        epoch=entry.name.epoch,
        is_open=entry.name.is_open,
        start_ms=won.start_ms,
        end_ms=won.end_ms,
        is_cut_at_start=won.start_ms > won.claim.start_ms,
        is_cut_at_end=won.end_ms < won.claim.end_ms and not won.has_tail,
    )

"""What can be wrong with a question to the archive. Raised by every module here, translated by the media service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta


class ArchiveError(Exception):
    """`code` is for programs, `str()` a sentence for people; neither names a path."""

    code = "archive_error"
    is_permanent = True


class NoFootage(ArchiveError):
    """Nothing is recorded in the span. `nearest` holds the last recorded instant before it and the first after
    it, each in UTC ms or None."""

    code = "no_footage"

    def __init__(self, nearest: tuple[int | None, int | None] = (None, None)) -> None:
        super().__init__("Nothing is recorded in this span.")
        self.nearest = nearest


class FootageGone(ArchiveError):
    """A file that was there when the answer was planned has been deleted (retention) or has lost its end."""

    code = "footage_gone"

    def __init__(self, message: str = "This footage has been deleted meanwhile.") -> None:
        super().__init__(message)


class FormatChanged(ArchiveError):
    """One file can't hold the span, for the codec changes in it.

    `changes` lists (UTC ms, codec before, codec after); ask for the parts between them, or, where `track` is
    `audio`, without audio.
    """

    code = "codec_changed"

    def __init__(self, track: str, changes: Sequence[tuple[int, str, str]]) -> None:
        at = ", ".join(f"{iso_utc(ms)} ({old} to {new})" for ms, old, new in changes)
        super().__init__(f"The {track} codec changes within the span at {at}; one file can't hold both sides.")
        self.track = track
        self.changes = tuple(changes)


def iso_utc(at_ms: int) -> str:
    """`2026-03-01T12:00:00.250Z`, exact for every ms a segment's name may hold (ISO 8601)."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"

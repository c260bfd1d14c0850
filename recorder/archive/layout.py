"""Names and places of segment files: `<volume>/<camera>/<stream>/<YYYY-MM-DD>/<HH>/<start utc ms>-<epoch>.mp4`.

The one place that builds or reads such paths; used by capture (write), the catalogue, retention and the checker (read).
Parsing is strict: a name that this module wouldn't have written is foreign and None. Camera and stream are
validated before they touch a path, so no request can leave the volume.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

OPEN_SUFFIX = ".part"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LATEST_START_MS = 253_402_300_800_000
"""Exclusive: the year 10000, where the date no longer has ten characters."""
LATEST_EPOCH = 2**63 - 1

_NAME = re.compile(r"(0|[1-9][0-9]{0,14})-(0|[1-9][0-9]{0,18})\.mp4(\.part)?", re.ASCII)
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_HOUR = re.compile(r"[01][0-9]|2[0-3]", re.ASCII)
_STREAM = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment's file name says."""

    start_ms: int
    """UTC ms of the first frame."""
    epoch: int
    is_open: bool = False
    """Whether it is still being written (or was, when its writer died)."""

    def __str__(self) -> str:
        return f"{self.start_ms}-{self.epoch}.mp4{OPEN_SUFFIX if self.is_open else ''}"


def check_camera(camera: str) -> str:
    """`camera` itself, if it is a UUID in the canonical spelling; raises `ValueError` for anything else."""
    try:
        is_canonical = str(uuid.UUID(camera)) == camera
    except (ValueError, AttributeError, TypeError) as err:
        raise ValueError("a camera is named by its UUID") from err
    if not is_canonical:
        raise ValueError("a camera is named by its UUID in lower case with dashes")
    return camera


def check_stream(stream: str) -> str:
    """`stream` itself, if it may name a directory (`main`, `sub`); raises `ValueError` for anything else."""
    if not isinstance(stream, str) or not _STREAM.fullmatch(stream):
        raise ValueError("a stream is named by a lower-case word")
    return stream


def stream_directory(volume: Path, camera: str, stream: str) -> Path:
    """Where all of a stream's footage on one volume lies. Raises `ValueError` for bad names."""
    return volume / check_camera(camera) / check_stream(stream)


def hour_parts(start_ms: int) -> tuple[str, str]:
    """Names of the day's and the hour's directory of an instant, in UTC. Raises `ValueError` out of range."""
    if not 0 <= start_ms < LATEST_START_MS:
        raise ValueError("a segment starts between 1970 and 9999")
    at = datetime.fromtimestamp(start_ms // 1000, UTC)
    return f"{at:%Y-%m-%d}", f"{at:%H}"


def segment_path(volume: Path, camera: str, stream: str, start_ms: int, epoch: int, *, is_open: bool = False) -> Path:
    """The path of a segment; open ones end in `.part`. Raises `ValueError` for names that can't be."""
    if not 0 <= epoch <= LATEST_EPOCH:
        raise ValueError("an epoch is a number from 0 to 2**63 - 1")
    day, hour = hour_parts(start_ms)
    return stream_directory(volume, camera, stream) / day / hour / str(SegmentName(start_ms, epoch, is_open))


def parse_segment_name(path: PurePath | str) -> SegmentName | None:
    """What the last component of `path` says, or None where it is no segment's name."""
    match = _NAME.fullmatch(PurePath(path).name)
    if match is None:
        return None
    start_ms, epoch = int(match[1]), int(match[2])
    if start_ms >= LATEST_START_MS or epoch > LATEST_EPOCH:
        return None
    return SegmentName(start_ms, epoch, match[3] is not None)


def parse_segment_path(path: PurePath | str) -> tuple[str, str, SegmentName] | None:
    """(camera, stream, name) of a path whose last five components are those of a segment and agree with each
    other (the right day and hour), else None. For whoever walks a volume: rebuild, checker, salvage."""
    parts = PurePath(path).parts[-5:]
    name = parse_segment_name(parts[-1]) if len(parts) == 5 else None
    if name is None or hour_parts(name.start_ms) != parts[2:4]:
        return None
    try:
        return check_camera(parts[0]), check_stream(parts[1]), name
    except ValueError:
        return None


def parse_day(name: str) -> int | None:
    """UTC ms at which the day of a day directory begins, None for a foreign name."""
    match = _DAY.fullmatch(name)
    if match is None:
        return None
    try:
        day_ms = int(datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        return None
    return day_ms if day_ms >= 0 else None


def parse_hour(name: str) -> int | None:
    """0 to 23, None for a foreign name."""
    return int(name) if _HOUR.fullmatch(name) else None

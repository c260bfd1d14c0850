"""Compares what lies on the volumes with the archive's rows, and says every difference. Changes nothing.

For `manage.py check_archive`, the archive page and the tests. Works stream by stream, so its memory is bounded by the
segments of one stream. A file that is open, or younger than `SETTLE_S`, may still be on its way into the rows and is
left out; so is one that waits for deletion.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from recorder.archive.layout import parse_segment_path
from recorder.models import GarbageFile, Segment
from recorder.retention.purge import relative_path
from vms.servers.models import Volume
from vms.servers.volumes import META_NAME, read_meta

SETTLE_S = 10.0
"""From the last write of a file to its row: two syncs and a drain, with room for a slow disk."""
LOST_AND_FOUND = "lost+found"


class Difference(StrEnum):
    FILE_WITHOUT_ROW = "file_without_row"
    ROW_WITHOUT_FILE = "row_without_file"
    SIZE_DIFFERS = "size_differs"
    FOREIGN_FILE = "foreign_file"
    VOLUME_MISSING = "volume_missing"


@dataclass(frozen=True, slots=True)
class Finding:
    difference: Difference
    volume: str
    path: str
    """Relative to the volume; of the volume itself where that is missing."""
    detail: str = ""


def compare_archive(server_id: uuid.UUID) -> Iterator[Finding]:
    """Every difference on the volumes of this server, which must be the one that runs this."""
    for volume in Volume.objects.filter(server_id=server_id, purpose="archive").order_by("created_at"):
        root = Path(volume.path)
        try:
            found = read_meta(root)
        except (OSError, ValueError, KeyError) as err:
            yield Finding(Difference.VOLUME_MISSING, str(volume.pk), volume.path, f"no readable {META_NAME}: {err}")
            continue
        if found != volume.pk:
            yield Finding(Difference.VOLUME_MISSING, str(volume.pk), volume.path, f"volume {found} is mounted here")
            continue
        yield from _compare_volume(volume, root)


def _compare_volume(volume: Volume, root: Path) -> Iterator[Finding]:
    garbage = set(GarbageFile.objects.filter(volume=volume).values_list("path", flat=True))
    settled_before = time.time() - SETTLE_S
    seen_streams = set()
    for directory in _stream_directories(root):
        files: dict[str, tuple[int, float]] = {}
        for path in sorted(entry for entry in directory.rglob("*") if not entry.is_dir()):
            relative = str(path.relative_to(root))
            parsed = parse_segment_path(relative)
            if parsed is None:
                yield Finding(Difference.FOREIGN_FILE, str(volume.pk), relative)
            elif not parsed[2].is_open and relative not in garbage:
                status = path.stat()
                files[relative] = status.st_size, status.st_mtime
        camera, stream = directory.relative_to(root).parts
        seen_streams.add((camera, stream))
        rows = _rows(volume, stream__camera_id=camera, stream__kind=stream)
        for relative, (size_bytes, changed_s) in files.items():
            expected = rows.pop(relative, None)
            if expected is None:
                if changed_s < settled_before:
                    yield Finding(Difference.FILE_WITHOUT_ROW, str(volume.pk), relative)
            elif expected != size_bytes:
                detail = f"{size_bytes} bytes on disk, {expected} written down"
                yield Finding(Difference.SIZE_DIFFERS, str(volume.pk), relative, detail)
        for relative in rows:
            if not (root / relative).exists():
                yield Finding(Difference.ROW_WITHOUT_FILE, str(volume.pk), relative)
    yield from _foreign_at_top(volume, root)
    for camera_id, kind in (
        Segment.objects.filter(volume=volume).values_list("stream__camera_id", "stream__kind").distinct()
    ):
        if (str(camera_id), kind) not in seen_streams:
            for relative in _rows(volume, stream__camera_id=camera_id, stream__kind=kind):
                yield Finding(Difference.ROW_WITHOUT_FILE, str(volume.pk), relative)


def _stream_directories(root: Path) -> list[Path]:
    """Directories `<camera>/<stream>` below a volume, known cameras or not."""
    return sorted(
        stream for camera in root.iterdir() if camera.is_dir() and _is_uuid(camera.name)
        for stream in camera.iterdir() if stream.is_dir() and stream.name in ("main", "sub")
    )  # fmt: skip


def _foreign_at_top(volume: Volume, root: Path) -> Iterator[Finding]:
    for entry in sorted(root.iterdir()):
        if entry.name not in (META_NAME, LOST_AND_FOUND) and not (entry.is_dir() and _is_uuid(entry.name)):
            yield Finding(Difference.FOREIGN_FILE, str(volume.pk), entry.name)


def _rows(volume: Volume, **stream) -> dict[str, int]:
    """Relative path to size of every row of one stream on one volume."""
    segments = Segment.objects.filter(volume=volume, **stream).select_related("stream")
    return {relative_path(segment): segment.size_bytes for segment in segments.iterator()}


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False

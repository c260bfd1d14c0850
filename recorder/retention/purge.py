"""Carries a retention plan out: rows, then files, so that a crash leaves garbage and never a row without its file.

Steps, each of which may be repeated: (1) in one transaction the segment rows go, a garbage row per file comes, runs
shrink and the purged span is written down as a gap; (2) the file is unlinked and its directory synced; (3) the garbage
row goes. Runs in the recorder's worker; nobody else deletes footage.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Exists, OuterRef

from recorder.archive.layout import segment_path
from recorder.causes import EndReason, GapCause
from recorder.coverage.repair import lock_ledgers
from recorder.models import Gap, GarbageFile, Hold, Recording, Segment
from recorder.retention.usage import take_off

logger = logging.getLogger(__name__)

GARBAGE_BATCH = 500
ADJACENT = timedelta(seconds=1)
"""Purged spans closer than this are one gap: runs of a camera that reconnected would else make a row each."""


def purge_segments(segment_ids: Sequence[int]) -> int:
    """Step 1 for these segments, but for those that came under a hold since they were chosen; returns the bytes whose
    files are now garbage."""
    hold = Hold.objects.filter(
        camera=OuterRef("stream__camera"), released_at__isnull=True,
        started_at__lt=OuterRef("ended_at"), ended_at__gt=OuterRef("started_at"),
    )  # fmt: skip
    with transaction.atomic():
        lock_ledgers(
            Segment.objects.filter(pk__in=segment_ids).order_by().values_list("stream_id", flat=True).distinct()
        )
        segments = list(
            Segment.objects.filter(pk__in=segment_ids)
            .select_related("stream", "volume", "recording")
            .order_by("stream", "started_at")
            .exclude(Exists(hold))
        )
        GarbageFile.objects.bulk_create(
            [
                GarbageFile(volume=segment.volume, path=relative_path(segment), size_bytes=segment.size_bytes)
                for segment in segments
            ],
            ignore_conflicts=True,
        )
        take_off(segments)
        Segment.objects.filter(pk__in=[segment.pk for segment in segments]).delete()
        spans: dict[Recording, list[tuple[datetime, datetime]]] = defaultdict(list)
        for segment in segments:
            spans[segment.recording].append((segment.started_at, segment.ended_at))
        for recording, purged in spans.items():
            _shrink_recording(recording, purged)
            for started_at, ended_at in merge_spans(purged):
                _note_purged(recording, started_at, ended_at)
    return sum(segment.size_bytes for segment in segments)


def relative_path(segment: Segment) -> str:
    """Path of the segment's file below its volume; needs `stream` loaded."""
    # The file is named after its first frame's time in ms, rounded down, as the row's time is in us.
    start_ms = int(segment.started_at.timestamp() * 1000 + 1e-4)
    path = segment_path(Path(), str(segment.stream.camera_id), segment.stream.kind, start_ms, segment.epoch)
    return str(path)


def merge_spans(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Sorted spans, those closer than `ADJACENT` as one."""
    merged: list[tuple[datetime, datetime]] = []
    for started_at, ended_at in sorted(spans):
        if merged and started_at - merged[-1][1] <= ADJACENT:
            merged[-1] = merged[-1][0], max(merged[-1][1], ended_at)
        else:
            merged.append((started_at, ended_at))
    return merged


def _shrink_recording(recording: Recording, purged: Sequence[tuple[datetime, datetime]]) -> None:
    """Take the purged spans out of the run: it begins later, or (where a hold kept the older part) falls in two."""
    rest = list(recording.segments.order_by("started_at"))
    if not rest and recording.ended_at is not None:
        recording.delete()
        return
    runs: list[list[Segment]] = []
    cuts = [started_at for started_at, _ in merge_spans(purged)]
    for segment in rest:
        is_cut = bool(runs) and any(runs[-1][-1].started_at < cut <= segment.started_at for cut in cuts)
        if not runs or is_cut:
            runs.append([])
        runs[-1].append(segment)
    # The newest piece keeps the run's ID: capture names the run by it in whatever it still has to say.
    recording.started_at = runs[-1][0].started_at if runs else max(ended_at for _, ended_at in purged)
    recording.save(update_fields=["started_at"])
    for run in runs[:-1]:
        piece = Recording.objects.create(
            id=uuid.uuid5(recording.pk, run[0].started_at.isoformat()),
            stream_id=recording.stream_id,
            server_id=recording.server_id,
            epoch=recording.epoch,
            started_at=run[0].started_at,
            ended_at=run[-1].ended_at,
            end_reason=EndReason.PURGED,
            time_source=recording.time_source,
            time_error_ms=recording.time_error_ms,
        )
        Segment.objects.filter(pk__in=[segment.pk for segment in run]).update(recording=piece)


def _note_purged(recording: Recording, started_at: datetime, ended_at: datetime) -> None:
    before = (
        Gap.objects.filter(
            stream_id=recording.stream_id, cause=GapCause.PURGED, ended_at__gte=started_at - ADJACENT,
            ended_at__lte=ended_at,
        ).order_by("-ended_at").first()
    )  # fmt: skip
    if before is not None:
        # What lay between the two purged spans lasted no second and has no footage beside it any more.
        Gap.objects.filter(
            stream_id=recording.stream_id, started_at__gte=before.ended_at, ended_at__lte=started_at
        ).exclude(pk=before.pk).delete()
        Gap.objects.filter(pk=before.pk).update(ended_at=ended_at)
    else:
        Gap.objects.create(
            stream_id=recording.stream_id, server_id=recording.server_id, epoch=recording.epoch,
            started_at=started_at, ended_at=ended_at, cause=GapCause.PURGED, detail="Kept as long as the rule says.",
        )  # fmt: skip


def drain_garbage(server_id: uuid.UUID) -> int:
    """Steps 2 and 3 for up to `GARBAGE_BATCH` files of this server; returns the bytes freed."""
    garbage = list(GarbageFile.objects.filter(volume__server_id=server_id).select_related("volume")[:GARBAGE_BATCH])
    directories: dict[Path, list[GarbageFile]] = defaultdict(list)
    freed_bytes = 0
    for row in garbage:
        path = Path(row.volume.path) / row.path
        try:
            path.unlink(missing_ok=True)
        except OSError as err:
            logger.warning("%s can't be deleted now: %s", path, err.strerror)
            continue
        directories[path.parent].append(row)
        freed_bytes += row.size_bytes
    done: list[int] = []
    for directory, rows in directories.items():
        if _sync_directory(directory):
            done += [row.pk for row in rows]
    GarbageFile.objects.filter(pk__in=done).delete()
    return freed_bytes


def _sync_directory(directory: Path) -> bool:
    """Make the unlinks durable, and drop the hour and day directories that are empty now."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        os.fsync(fd)
    except OSError:
        return False
    finally:
        os.close(fd)
    for empty in (directory, directory.parent):
        try:
            empty.rmdir()
        except OSError:
            break
    return True

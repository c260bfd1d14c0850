"""Rebuilds the archive's rows from the files alone: for a lost database, or for files that lost their rows.

Every file says whose it is by its path and what it holds by its index. Segments that follow each other without a hole
become one recording. A camera that the site no longer knows comes back disabled, named after its ID, so its footage
can be seen. Idempotent: files that have their row are left alone.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

from django.db import transaction

from recorder.archive.layout import parse_segment_name
from recorder.causes import EndReason
from recorder.consistency.compare import Difference, compare_archive
from recorder.fmp4 import SegmentIndex, TrackSamples, parse_init, read_segment_index
from recorder.models import Recording, Segment
from recorder.worker.drain import utc_from_ns
from vms.cameras.models import Camera, Stream
from vms.servers.models import Server, Volume

logger = logging.getLogger(__name__)

SAME_RUN = timedelta(milliseconds=200)
"""A larger distance between two segments is a gap of its own (gaps are told from 200 ms)."""
_NAMESPACE = uuid.UUID("b0f3a6b6-6e77-4f57-8b93-38a3f2b7bb0d")


def rebuild_rows(server: Server) -> int:
    """Give every file of this server's volumes that has no row its row; returns how many there were."""
    missing = [row for row in compare_archive(server.pk) if row.difference == Difference.FILE_WITHOUT_ROW]
    volumes = {str(volume.pk): volume for volume in Volume.objects.filter(server=server)}
    rebuilt = 0

    def stream_of(finding):
        parts = Path(finding.path).parts
        return parts[0], parts[1]

    for (camera_id, kind), findings in groupby(sorted(missing, key=stream_of), key=stream_of):
        segments = []
        for finding in findings:
            segment = _read(volumes[finding.volume], finding.path)
            if segment is not None:
                segments.append(segment)
        with transaction.atomic():
            rebuilt += _write(server, _ensure_stream(server, camera_id, kind), segments)
    return rebuilt


def _read(volume: Volume, relative: str) -> Segment | None:
    name = parse_segment_name(relative)
    if name is None:
        return None
    try:
        fd = os.open(Path(volume.path) / relative, os.O_RDONLY)
    except OSError as err:
        logger.warning("%s can't be read: %s", relative, err.strerror)
        return None
    try:
        index = read_segment_index(fd)
        video, audio = parse_init(index.init)
        started_at, ended_at = shown_span(index)
        size_bytes = os.fstat(fd).st_size
    except (ValueError, OSError) as err:
        logger.warning("%s holds no footage: %s", relative, err)
        return None
    finally:
        os.close(fd)
    return Segment(
        volume=volume, epoch=name.epoch, started_at=started_at, ended_at=ended_at, size_bytes=size_bytes,
        frame_count=len(index.video.sizes) if index.video else 0,
        keyframe_count=len(index.video.keyframes) if index.video else 0,
        video_codec=video.codec if video else "", audio_codec=audio.codec if audio else "",
        width_px=video.width_px if video else 0, height_px=video.height_px if video else 0,
    )  # fmt: skip


def shown_span(index: SegmentIndex) -> tuple[datetime, datetime]:
    """First instant shown and end of the last. Raises `ValueError` for an empty segment."""
    track: TrackSamples | None = index.video or index.audio
    if track is None or not len(track):
        raise ValueError("no samples")
    shown = [decode + cts for decode, cts in zip(track.decode_times, track.cts_offsets, strict=True)]
    start_ns = min(shown) * 1_000_000_000 // track.timescale
    end_ns = (max(shown) + track.durations[-1]) * 1_000_000_000 // track.timescale
    return utc_from_ns(start_ns), utc_from_ns(end_ns)


def _ensure_stream(server: Server, camera_id: str, kind: str) -> Stream:
    camera, is_new = Camera.objects.get_or_create(
        pk=uuid.UUID(camera_id),
        defaults={"site_id": server.site_id, "server": server, "name": f"Recovered camera {camera_id[:8]}",
                  "is_enabled": False},
    )  # fmt: skip
    if is_new:
        logger.warning("camera %s is not in the database: added, disabled", camera_id)
    stream, _ = Stream.objects.get_or_create(camera=camera, kind=kind, defaults={"url": "", "is_enabled": False})
    return stream


def _write(server: Server, stream: Stream, segments: Iterable[Segment]) -> int:
    ordered = sorted(segments, key=lambda row: (row.epoch, row.started_at))
    recording: Recording | None = None
    for segment in ordered:
        if recording is None or recording.epoch != segment.epoch or not _continues(recording, segment):
            recording = _run_before(stream, segment) or Recording.objects.create(
                id=uuid.uuid5(_NAMESPACE, f"{stream.pk}.{segment.epoch}.{segment.started_at.isoformat()}"),
                stream=stream, server=server, epoch=segment.epoch, started_at=segment.started_at,
                ended_at=segment.ended_at, end_reason=EndReason.LOST, time_source="rebuilt",
            )  # fmt: skip
        segment.stream, segment.recording = stream, recording
        if recording.ended_at is not None and recording.ended_at < segment.ended_at:
            recording.ended_at = segment.ended_at
            recording.save(update_fields=["ended_at"])
    Segment.objects.bulk_create(ordered, ignore_conflicts=True, batch_size=500)
    return len(ordered)


def _run_before(stream: Stream, segment: Segment) -> Recording | None:
    """A run in the rows that this segment continues, or lies in."""
    candidates = Recording.objects.filter(stream=stream, epoch=segment.epoch, started_at__lte=segment.started_at)
    run = candidates.order_by("-started_at").first()
    return run if run is not None and _continues(run, segment) else None


def _continues(recording: Recording, segment: Segment) -> bool:
    return recording.ended_at is None or segment.started_at - recording.ended_at <= SAME_RUN

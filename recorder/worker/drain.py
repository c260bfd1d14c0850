"""From capture's journal to the archive's rows: each entry once, in order, whenever the database is there.

The rows and the journal position move in one transaction, and every write is an upsert by natural key or by an ID that
capture gave; so an entry that is read again after a crash changes nothing. Runs in the recorder's worker.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from recorder.capture.journal import Entry, JournalReader
from recorder.models import Gap, JournalPosition, Recording, Segment
from vms.cameras.models import Stream
from vms.servers.models import Volume

logger = logging.getLogger(__name__)

BATCH_ENTRIES = 500


def utc_from_ns(ns: int) -> datetime:
    """Microseconds are what the database keeps; rounded down so that order stays."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(microsecond=ns % 1_000_000_000 // 1000)


class JournalDrain:
    def __init__(self, server_id: uuid.UUID) -> None:
        self._server_id = server_id
        self._streams: dict[tuple[str, str], int] = {}
        self._known_to_have_footage: set[int] = set()
        self._touched: dict[int, datetime] = {}

    def take_touched(self) -> dict[int, datetime]:
        """Streams whose runs or gaps were written since the last call, and from when on they changed."""
        touched, self._touched = self._touched, {}
        return touched

    def _touch(self, stream_id: int, at: datetime) -> None:
        self._touched[stream_id] = min(self._touched.get(stream_id, at), at)

    def drain(self, reader: JournalReader) -> int:
        """Write the next batch; returns how many entries it held. Raises Django's database errors."""
        position, _ = JournalPosition.objects.get_or_create(server_id=self._server_id, journal_id=reader.journal_id)
        entries = reader.read(position.sequence, BATCH_ENTRIES)
        if not entries:
            return 0
        with transaction.atomic():
            self._write(entries)
            position.sequence = entries[-1].seq
            position.save(update_fields=["sequence"])
        reader.acknowledge(position.sequence)
        return len(entries)

    def _write(self, entries: Sequence[Entry]) -> None:
        """Runs of one kind go to the database together; the order of the journal is kept."""
        self._learn_streams(entries)
        segments: list[Segment] = []
        volumes = set(Volume.objects.values_list("pk", flat=True))
        for entry in entries:
            stream_id = self._stream_id(entry)
            if stream_id is None:
                continue
            if entry.kind == "segment":
                segment = self._segment(entry.payload, stream_id)
                if segment.volume_id in volumes:
                    segments.append(segment)
                else:
                    logger.error("segment on volume %s, which the site doesn't know", segment.volume_id)
                continue
            self._flush(segments)
            if entry.kind == "run_started":
                self._run_started(entry.payload, stream_id)
            elif entry.kind == "run_ended":
                self._run_ended(entry.payload)
            elif entry.kind == "gap":
                self._gap(entry.payload, stream_id)
            else:
                logger.error("journal entry %d is of unknown kind %r", entry.seq, entry.kind)
        self._flush(segments)

    def _learn_streams(self, entries: Sequence[Entry]) -> None:
        cameras = {entry.payload["camera"] for entry in entries if "camera" in entry.payload}
        missing = cameras - {camera for camera, _ in self._streams}
        for stream_id, camera_id, kind in Stream.objects.filter(camera_id__in=missing).values_list(
            "id", "camera_id", "kind"
        ):
            self._streams[str(camera_id), kind] = stream_id

    def _stream_id(self, entry: Entry) -> int | None:
        """None for footage of a camera that the site doesn't know; its files stay for `check_archive` to report."""
        if entry.kind == "run_ended":
            return 0
        key = entry.payload["camera"], entry.payload["stream"]
        if key not in self._streams:
            logger.error("journal entry %d is of camera %s, which the site doesn't know", entry.seq, key[0])
            return None
        return self._streams[key]

    def _run_started(self, payload: dict, stream_id: int) -> None:
        if payload.get("is_buffer"):
            return  # live only: a ring in memory is no footage
        started_at = utc_from_ns(payload["started_ns"])
        self._touch(stream_id, started_at)
        Recording.objects.update_or_create(
            id=payload["run"],
            defaults={
                "stream_id": stream_id,
                "server_id": self._server_id,
                "epoch": payload["epoch"],
                "started_at": started_at,
                "time_source": payload["time_source"],
                "time_error_ms": payload["error_ms"],
            },
        )
        # A gap that the worker opened (a camera switched off) ends where footage begins.
        Gap.objects.filter(stream_id=stream_id, ended_at__isnull=True, started_at__lte=started_at).update(
            ended_at=started_at
        )

    def _run_ended(self, payload: dict) -> None:
        ended_at = utc_from_ns(payload["ended_ns"])
        runs = Recording.objects.filter(id=payload["run"])
        for stream_id, before in runs.values_list("stream_id", "ended_at"):
            self._touch(stream_id, min(ended_at, before or ended_at))
        runs.update(ended_at=ended_at, end_reason=payload["reason"])

    def _segment(self, payload: dict, stream_id: int) -> Segment:
        return Segment(
            stream_id=stream_id,
            recording_id=uuid.UUID(payload["run"]),
            volume_id=uuid.UUID(payload["volume"]),
            epoch=payload["epoch"],
            started_at=utc_from_ns(payload["start_ns"]),
            ended_at=utc_from_ns(payload["end_ns"]),
            size_bytes=payload["size_bytes"],
            frame_count=payload["frames"],
            keyframe_count=payload["keyframes"],
            video_codec=payload["video_codec"] or "",
            audio_codec=payload["audio_codec"] or "",
            width_px=payload["width_px"],
            height_px=payload["height_px"],
        )

    def _flush(self, segments: list[Segment]) -> None:
        if segments:
            Segment.objects.bulk_create(segments, ignore_conflicts=True)
            segments.clear()

    def _gap(self, payload: dict, stream_id: int) -> None:
        ended_ns = payload["end_ns"]
        started_at = utc_from_ns(payload["start_ns"])
        if stream_id not in self._known_to_have_footage:
            started_at = self._start_of_first_gap(stream_id, payload["gap"], started_at)
        self._touch(stream_id, started_at)
        # Epoch 0 and open: the worker's own, of a stream that was off until capture took it up again.
        Gap.objects.filter(stream_id=stream_id, ended_at__isnull=True, epoch=0, started_at__lte=started_at).exclude(
            pk=payload["gap"]
        ).update(ended_at=started_at)
        Gap.objects.update_or_create(
            id=payload["gap"],
            defaults={
                "stream_id": stream_id,
                "server_id": self._server_id,
                "epoch": payload["epoch"],
                "started_at": started_at,
                "ended_at": None if ended_ns is None else utc_from_ns(ended_ns),
                "cause": payload["cause"],
                "detail": payload["detail"][:300],
            },
        )

    def _start_of_first_gap(self, stream_id: int, gap_id: str, started_at: datetime) -> datetime:
        """The first gap of a stream begins when the stream was added: until capture took it up there was no footage
        for the same reason."""
        others = Gap.objects.filter(stream_id=stream_id).exclude(pk=gap_id)
        if others.exists() or Recording.objects.filter(stream_id=stream_id, started_at__lt=started_at).exists():
            self._known_to_have_footage.add(stream_id)
            return started_at
        return min(started_at, Stream.objects.values_list("created_at", flat=True).get(pk=stream_id))

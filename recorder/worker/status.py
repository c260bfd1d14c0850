"""From the shards' status files to the rows that pages and API read, and to the browsers that watch.

A change of state is written and pushed at once; figures that flow (rate, last frame) every few seconds, so that 400
cameras cost one statement and not 800 a second. Runs in the recorder's worker.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings

from recorder.capture.status import StreamStatus as StreamReport
from recorder.capture.status import read_status
from recorder.worker.drain import utc_from_ns
from vms.cameras.choices import StreamState
from vms.cameras.models import Stream, StreamStatus
from vms.events.services import camera_group, push

FIGURES_EVERY_S = 5.0
FRESH_S = 10.0
"""A shard writes its status every second."""
_FIELDS = (
    "state", "state_detail", "error_code", "since_at", "retry_at", "codec", "audio_codec", "width_px", "height_px",
    "fps", "bitrate_bps", "last_frame_at", "last_keyframe_at", "updated_at",
)  # fmt: skip


def read_stream_reports(shards: int) -> list[StreamReport]:
    """What the shards of this server last said of each stream; a shard that said nothing yet adds nothing."""
    reports: list[StreamReport] = []
    for number in range(shards):
        try:
            reports += read_status(settings.VMS_HOME.status(number)).streams
        except (FileNotFoundError, ValueError):
            continue
    return reports


def read_fresh_reports(shards: int) -> list[StreamReport]:
    """Only of shards that gave a sign of life within `FRESH_S`: what the others say is history."""
    reports: list[StreamReport] = []
    oldest_ns = time.time_ns() - int(FRESH_S * 1e9)
    for number in range(shards):
        try:
            status = read_status(settings.VMS_HOME.status(number))
        except (FileNotFoundError, ValueError):
            continue
        if status.written_ns > oldest_ns:
            reports += status.streams
    return reports


class StatusWriter:
    def __init__(self, server_id: uuid.UUID, shards: int) -> None:
        self._server_id = server_id
        self._shards = shards
        self._written: dict[int, tuple[str, str]] = {}
        self._told: dict[str, tuple[str, str]] = {}
        self._figures_due = 0.0

    def write(self) -> None:
        """Bring the rows up to date. Two statements when there is something to write, none otherwise."""
        reports = {report.key: report for report in read_stream_reports(self._shards)}
        with_figures = time.monotonic() >= self._figures_due
        if with_figures:
            self._figures_due = time.monotonic() + FIGURES_EVERY_S
        elif all(self._is_told(report) for report in reports.values()):
            return
        rows, changed = [], []
        for stream in self._streams():
            report = reports.get(str(stream))
            row = _status_row(stream, report)
            told = (row.state, row.state_detail)
            is_change = self._written.get(stream.pk) != told
            if is_change or (with_figures and report is not None):
                rows.append(row)
                self._written[stream.pk] = told
            if is_change:
                changed.append((stream, row))
        if rows:
            StreamStatus.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["stream"], update_fields=list(_FIELDS)
            )
        self._told = {key: (report.state, report.state_detail) for key, report in reports.items()}
        for stream, row in changed:
            push(camera_group(stream.camera_id), state_message(stream, row))

    def _is_told(self, report: StreamReport) -> bool:
        return self._told.get(report.key) == (report.state, report.state_detail)

    def _streams(self) -> Iterable[Stream]:
        return Stream.objects.filter(
            is_enabled=True, camera__deleted_at__isnull=True, camera__assignments__server_id=self._server_id,
            camera__assignments__ends_at__isnull=True,
        ).select_related("camera")  # fmt: skip


def state_message(stream: Stream, row: StreamStatus) -> dict[str, Any]:
    """The push `camera.state`, equal in shape to what a fresh load of the camera would give."""
    return {
        "type": "camera.state",
        "camera": str(stream.camera_id),
        "stream": stream.kind,
        "state": row.state,
        "state_detail": row.state_detail,
        "since": row.since_at.isoformat() if row.since_at else None,
    }


def _status_row(stream: Stream, report: StreamReport | None) -> StreamStatus:
    if not stream.camera.is_enabled:
        return StreamStatus(stream=stream, state=StreamState.DISABLED, since_at=stream.camera.updated_at,
                            updated_at=stream.camera.updated_at)  # fmt: skip
    if report is None:
        return StreamStatus(stream=stream, state=StreamState.CONNECTING, state_detail="The recorder is starting it.",
                            since_at=stream.camera.updated_at)  # fmt: skip
    return StreamStatus(
        stream=stream,
        state=report.state,
        state_detail=report.state_detail[:300],
        error_code=report.error_code or "",
        since_at=_moment(report.since_ns),
        retry_at=_moment(report.retry_at_ns),
        codec=report.codec or "",
        audio_codec=report.audio_codec or "",
        width_px=report.width_px or 0,
        height_px=report.height_px or 0,
        fps=report.fps or 0,
        bitrate_bps=int(report.bitrate_bps or 0),
        last_frame_at=_moment(report.last_frame_ns),
        last_keyframe_at=_moment(report.last_keyframe_ns),
    )


def _moment(ns: int | None) -> datetime | None:
    return utc_from_ns(ns) if ns else None

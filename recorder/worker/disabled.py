"""Gaps that no capture process can know of: a camera or stream that was switched off."""

from __future__ import annotations

import uuid

from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from recorder.causes import GapCause
from recorder.models import Gap, Recording
from vms.cameras.choices import RecordingMode
from vms.cameras.models import Stream


def open_gaps_of_disabled_streams(server_id: uuid.UUID) -> int:
    """Give every stream of this server that is off, and has no open gap, one that begins where its footage ended.
    Returns how many were opened. One query when there is nothing to do; run it now and then, after a drain: a run
    that was just switched off ends in the rows only when capture has told so."""
    open_gap = Gap.objects.filter(stream=OuterRef("pk"), ended_at__isnull=True)
    running = Recording.objects.filter(stream=OuterRef("pk"), ended_at__isnull=True)
    streams = (
        Stream.objects.filter(camera__server_id=server_id, camera__deleted_at__isnull=True)
        .filter(Q(camera__is_enabled=False) | Q(is_enabled=False) | Q(camera__recording_mode=RecordingMode.OFF))
        .filter(~Exists(open_gap), ~Exists(running))
        .annotate(footage_ended_at=Max("recordings__ended_at"))
        .select_related("camera")
    )
    gaps = [
        Gap(
            stream=stream,
            server_id=server_id,
            started_at=stream.footage_ended_at or stream.camera.created_at,
            cause=GapCause.DISABLED,
            detail=(
                "Live only: recording is off."
                if stream.camera.is_enabled and stream.is_enabled
                else f"Switched off before {timezone.now():%Y-%m-%d %H:%M:%S} UTC."
            ),
        )
        for stream in streams
    ]
    Gap.objects.bulk_create(gaps)
    return len(gaps)

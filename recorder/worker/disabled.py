"""Gaps that no capture process can know of: a camera or stream that was switched off, or is shown live only."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from recorder.causes import GapCause
from recorder.models import Gap, Recording, Segment, ServerSilence
from recorder.timeline import covers_since
from vms.cameras.choices import RecordingMode
from vms.cameras.models import Stream

EMPTY_FOR = timedelta(minutes=10)
"""A run that recorded anything has a segment row by then."""


def open_gaps_of_disabled_streams(server_id: uuid.UUID) -> int:
    """Give every stream of this server that is off, and has no open gap, one that begins where the ledger of it ends.
    Returns how many were opened. One query when there is nothing to do; run it now and then, after a drain: a run
    that was just switched off ends in the rows only when capture has told so."""
    begun_before = timezone.now() - EMPTY_FOR
    open_gap = Gap.objects.filter(stream=OuterRef("pk"), ended_at__isnull=True)
    running = Recording.objects.filter(stream=OuterRef("pk"), ended_at__isnull=True).filter(
        ~Q(stream__camera__recording_mode=RecordingMode.OFF)
        | Q(started_at__gt=begun_before)
        | Exists(Segment.objects.filter(recording=OuterRef("pk")))
    )
    streams = list(
        Stream.objects.filter(camera__server_id=server_id, camera__deleted_at__isnull=True)
        .filter(Q(camera__is_enabled=False) | Q(is_enabled=False) | Q(camera__recording_mode=RecordingMode.OFF))
        .filter(~Exists(open_gap), ~Exists(running))
        .select_related("camera")
    )
    if not streams:
        return 0
    keys = [stream.pk for stream in streams]
    _drop_live_runs(streams, begun_before)
    ends = [
        dict(rows.filter(stream__in=keys).order_by().values_list("stream_id").annotate(Max("ended_at")))
        for rows in (Recording.objects.all(), Gap.objects.all())
    ]
    silent_until = ServerSilence.objects.filter(server=server_id).aggregate(last=Max("ended_at"))["last"]
    for stream in streams:
        told_until = [at for end in ends if (at := end.get(stream.pk)) is not None]
        started_at = max([covers_since(stream), *told_until])
        if silent_until is not None and started_at < silent_until:
            started_at = silent_until  # what lies before is the server's silence; the ledger's repair says so
        is_shown = stream.camera.is_enabled and stream.is_enabled
        Gap.objects.create(
            stream=stream,
            server_id=server_id,
            started_at=started_at,
            cause=GapCause.SCHEDULE if is_shown else GapCause.DISABLED,
            detail="The camera is shown live only." if is_shown else "The camera is switched off.",
        )
    return len(streams)


def _drop_live_runs(streams: list[Stream], begun_before: datetime) -> None:
    """A live-only camera runs through a buffer in memory: a run without a segment, which is no footage."""
    live = [stream.pk for stream in streams if stream.camera.recording_mode == RecordingMode.OFF]
    Recording.objects.filter(
        stream__in=live, ended_at__isnull=True, segments__isnull=True, started_at__lte=begun_before
    ).delete()

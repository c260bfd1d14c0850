"""How many bytes each stream keeps on each volume, and how fast it grows, without summing millions of rows each time.

A full count (one pass over the server's segments, some seconds for 30 million) is made every hour; in between, purges
are taken off in their own transaction, and what was added is what has a key above the counted ones. Runs in the
recorder's worker; the web process reads the rows.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Sum

from recorder.models import Hold, Segment, StreamUsage
from vms.servers.models import Volume

RATE_OVER = timedelta(days=3)
"""Today's rate is the mean of these days: long enough for night and day, short enough to see a new setting."""
SHORTEST = timedelta(minutes=10)
"""A stream is taken to have recorded for at least this long, so that its first segments aren't a wild rate."""


def count_usage(server_id: uuid.UUID, now: datetime) -> int:
    """Count everything on this server's volumes anew; returns the number of rows written. Call it only from the thread
    that purges: nothing may go between the count and its writing, which is all that holds a lock."""
    volumes = list(Volume.objects.filter(server_id=server_id).values_list("pk", flat=True))
    highest = Segment.objects.aggregate(highest=Max("pk"))["highest"] or 0
    mine = Segment.objects.filter(volume__in=volumes, pk__lte=highest).order_by()
    totals = list(mine.values_list("stream_id", "volume_id").annotate(Sum("size_bytes"), Min("started_at")))
    streams = {row[0] for row in totals}
    recent = {
        (stream, volume): size
        for stream, volume, size in mine.filter(stream__in=streams, started_at__gte=now - RATE_OVER)
        .values_list("stream_id", "volume_id").annotate(Sum("size_bytes"))
    }  # fmt: skip
    held = _held_bytes(volumes, highest)
    rows = [
        StreamUsage(
            stream_id=stream, volume_id=volume, kept_bytes=size, held_bytes=held.get((stream, volume), 0),
            oldest_at=oldest, counted_to=highest, counted_at=now,
            rate_bytes_per_day=_rate(recent.get((stream, volume), 0), oldest, now),
        )
        for stream, volume, size, oldest in totals
    ]  # fmt: skip
    with transaction.atomic():
        StreamUsage.objects.filter(volume__in=volumes).delete()
        StreamUsage.objects.bulk_create(rows)
    return len(rows)


def _rate(recent_bytes: int, oldest: datetime, now: datetime) -> float:
    seconds = max(min(now - oldest, RATE_OVER), SHORTEST).total_seconds()
    return recent_bytes / seconds * 86_400


def _held_bytes(volumes: Iterable[uuid.UUID], highest: int) -> dict[tuple[int, uuid.UUID], int]:
    if not Hold.objects.filter(released_at__isnull=True).exists():
        return {}
    hold = Hold.objects.filter(
        camera=OuterRef("stream__camera"), released_at__isnull=True,
        started_at__lt=OuterRef("ended_at"), ended_at__gt=OuterRef("started_at"),
    )  # fmt: skip
    cameras = Hold.objects.filter(released_at__isnull=True).values("camera")
    rows = Segment.objects.filter(
        Exists(hold), volume__in=volumes, pk__lte=highest, stream__camera__in=cameras
    ).order_by()
    return {
        (stream, volume): size
        for stream, volume, size in rows.values_list("stream_id", "volume_id").annotate(Sum("size_bytes"))
    }


def stored_bytes(server_id: uuid.UUID) -> dict[int, int]:
    """What each stream keeps on this server now. Two queries: the counted rows, and what came since the count."""
    totals: dict[int, int] = defaultdict(int)
    counted_to = 0
    for stream, size, counted in StreamUsage.objects.filter(volume__server=server_id).values_list(
        "stream_id", "kept_bytes", "counted_to"
    ):
        totals[stream] += size
        counted_to = max(counted_to, counted)
    added = (
        Segment.objects.filter(pk__gt=counted_to, volume__server=server_id).order_by()
        .values_list("stream_id").annotate(Sum("size_bytes"))
    )  # fmt: skip
    for stream, size in added:
        totals[stream] += size
    return dict(totals)


def take_off(segments: Iterable[Segment]) -> None:
    """These are purged: call it in the transaction that deletes their rows."""
    sizes: dict[tuple[int, uuid.UUID], list[Segment]] = defaultdict(list)
    for segment in segments:
        sizes[segment.stream_id, segment.volume_id].append(segment)
    for (stream, volume), rows in sorted(sizes.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        for usage in StreamUsage.objects.filter(stream=stream, volume=volume):
            counted = sum(row.size_bytes for row in rows if row.pk <= usage.counted_to)
            StreamUsage.objects.filter(pk=usage.pk).update(kept_bytes=F("kept_bytes") - counted)

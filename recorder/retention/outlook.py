"""The forecast of a server's streams from its rows: `read_outlooks` for API, pages and worker, also for a rule that is
not saved yet. Three queries a server, whatever the archive's size.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from recorder.models import RetentionRule, StreamUsage
from recorder.retention.forecast import Load, Outlook, forecast
from recorder.retention.plan import Rule
from recorder.retention.room import reserve_bytes
from vms.cameras.models import Stream, StreamStatus
from vms.servers.choices import VolumePurpose
from vms.servers.models import Volume


@dataclass(frozen=True, slots=True)
class StreamOutlook:
    stream: Stream
    kept_bytes: int
    held_bytes: int
    rate_bytes_per_day: float
    oldest_at: datetime | None
    outlook: Outlook

    def breaks_at(self, now: datetime) -> datetime | None:
        days = self.outlook.breaks_in_days
        return None if days is None else now + timedelta(days=days)

    @property
    def sentence(self) -> str:
        """`Kept 23 days at today's rate, promise 30.` Empty where nothing is recorded."""
        kept, promise = self.outlook.kept_days, self.outlook.promise_days
        if self.rate_bytes_per_day <= 0:
            return ""
        text = "Kept for more than ten years" if kept is None else f"Kept {_days(kept)}"
        return f"{text} at today's rate{'' if promise is None else f', promise {promise:g}'}."


def _days(days: float) -> str:
    return f"{days:.0f} days" if days >= 3 else f"{days:.1f} days"


def closest_rules(streams: Iterable[Stream], rows: Iterable[RetentionRule] | None = None) -> dict[int, Rule]:
    """The rule that counts for each stream (see `RetentionRule`); one query, none where `rows` are given."""
    given = RetentionRule.objects.all() if rows is None else rows
    by_scope = {(row.camera_id, row.stream_kind): row for row in given}
    rules = {}
    for stream in streams:
        for key in ((stream.camera_id, stream.kind), (stream.camera_id, ""), (None, stream.kind), (None, "")):
            if row := by_scope.get(key):
                rules[stream.pk] = Rule(row.min_days, row.max_days, row.max_bytes)
                break
    return rules


def read_outlooks(server_id: uuid.UUID, rules: Sequence[RetentionRule] | None = None) -> list[StreamOutlook]:
    """Of every stream that keeps footage on this server or is assigned to it. `rules`: in place of the saved ones."""
    streams = list(
        Stream.objects.filter(camera__server=server_id)
        .select_related("camera", "status")
        .order_by("camera__name", "kind")
    )
    usages: dict[int, list[StreamUsage]] = defaultdict(list)
    volumes = list(Volume.objects.filter(server=server_id, purpose=VolumePurpose.ARCHIVE))
    for usage in StreamUsage.objects.filter(volume__in=volumes):
        usages[usage.stream_id].append(usage)
    rule_of = closest_rules(streams, rules)
    figures = {stream.pk: _figures(stream, usages[stream.pk]) for stream in streams}
    loads = [
        Load(stream.pk, kept - held, rate, rule_of.get(stream.pk, Rule()))
        for stream in streams
        for kept, held, rate, _ in (figures[stream.pk],)
    ]
    bitrate_bps = StreamStatus.objects.filter(stream__in=streams).aggregate(total=Sum("bitrate_bps"))["total"] or 0
    usable = [volume for volume in volumes if volume.is_enabled]
    free = sum(volume.free_bytes for volume in usable)
    reserve = sum(reserve_bytes(volume.capacity_bytes, bitrate_bps) for volume in usable)
    outlooks = forecast(loads, free, reserve)
    return [StreamOutlook(stream, *figures[stream.pk], outlooks[stream.pk]) for stream in streams]


def _figures(stream: Stream, usages: Sequence[StreamUsage]) -> tuple[int, int, float, datetime | None]:
    """Bytes kept, of these held, bytes a day, oldest; before the first count the rate is what the recorder reports."""
    kept = sum(usage.kept_bytes for usage in usages)
    held = sum(usage.held_bytes for usage in usages)
    rate = sum(usage.rate_bytes_per_day for usage in usages)
    status = getattr(stream, "status", None)
    is_running = stream.is_enabled and stream.camera.is_enabled and stream.camera.deleted_at is None
    if not usages and is_running and status is not None:
        rate = status.bitrate_bps / 8 * 86_400
    if not is_running:
        rate = 0.0
    oldest = min((usage.oldest_at for usage in usages if usage.oldest_at), default=None)
    return kept, held, rate, oldest

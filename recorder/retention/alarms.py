"""What retention has to say to people: events, each at most once an hour or a day. Called by the keeper, in the
recorder's worker; event IDs follow from what is told, so telling again changes nothing.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.utils import timezone

from recorder.retention.outlook import StreamOutlook, read_outlooks
from recorder.retention.plan import RetentionPlan
from vms.cameras.models import Stream
from vms.events.models import Severity
from vms.events.services import record_event
from vms.servers.models import Server

_NAMESPACE = uuid.UUID("7c1f7a54-43a5-4a0c-8a5e-0a7a52f4ce55")


def tell_plan(server_id: uuid.UUID, plan: RetentionPlan) -> None:
    """Alarms, once an hour each: only held footage is left; a promise was broken."""
    now = timezone.now()
    hour = now.strftime("%Y-%m-%dT%H")
    server = Server.objects.get(pk=server_id)
    for volume, missing in plan.missing_bytes.items():
        record_event(
            event_id=uuid.uuid5(_NAMESPACE, f"{volume}.{hour}.held"), at=now, kind="volume_full_of_held_footage",
            severity=Severity.ALARM, server=server,
            detail=f"Volume {volume} lacks {missing // 1_000_000 + 1} MB, and only held footage is left on it.",
        )  # fmt: skip
    for stream in Stream.objects.filter(pk__in=plan.broken_promises).select_related("camera"):
        record_event(
            event_id=uuid.uuid5(_NAMESPACE, f"{stream.pk}.{hour}.promise"), at=now, kind="retention_promise_broken",
            severity=Severity.ALARM, camera=stream.camera, server=server,
            detail="Footage younger than promised was purged: the volume is too small for its cameras.",
        )  # fmt: skip


def tell_forecast(server_id: uuid.UUID, now: datetime) -> list[StreamOutlook]:
    """An early alarm, once a day per stream whose promise can't be kept at today's rate; returns these."""
    short = [row for row in read_outlooks(server_id) if row.outlook.is_short]
    if not short:
        return []
    server = Server.objects.get(pk=server_id)
    for row in short:
        breaks_at = row.breaks_at(now)
        when = f" The first promised footage goes on {breaks_at:%Y-%m-%d}." if breaks_at else ""
        kind = "" if row.stream.kind == "main" else " (sub stream)"
        record_event(
            event_id=uuid.uuid5(_NAMESPACE, f"{row.stream.pk}.{now:%Y-%m-%d}.forecast"), at=now,
            kind="retention_promise_at_risk", severity=Severity.ALARM, camera=row.stream.camera, server=server,
            detail=f"{row.sentence}{kind}{when}",
        )  # fmt: skip
    return short

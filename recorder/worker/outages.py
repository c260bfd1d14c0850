"""Events from gaps: a camera that was lost for more than a moment, and its return. Each is told once.

An outage shorter than `NOTICE_AFTER` is on the timeline but rings nobody (fault F2). Event IDs follow from the gap's
ID, so telling again changes nothing.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from recorder.causes import GapCause
from recorder.models import Gap
from vms.events.models import Severity
from vms.events.services import record_event

NOTICE_AFTER = timedelta(seconds=5)
LOOK_BACK = timedelta(days=1)
_QUIET = (GapCause.SCHEDULE, GapCause.DISABLED, GapCause.PURGED)
_NAMESPACE = uuid.UUID("0f4a35a0-2f43-4d06-9d0d-1f0d7f9a6b52")


class OutageTeller:
    def __init__(self, server_id: uuid.UUID) -> None:
        self._server_id = server_id
        self._told: set[uuid.UUID] = set()

    def tell(self) -> None:
        """One query; rows are written only for outages that weren't told yet."""
        now = timezone.now()
        gaps = (
            Gap.objects.filter(server_id=self._server_id, stream__kind="main", started_at__gt=now - LOOK_BACK)
            .exclude(cause__in=_QUIET)
            .filter(
                Q(ended_at__isnull=True, started_at__lt=now - NOTICE_AFTER)
                | Q(ended_at__gt=F("started_at") + NOTICE_AFTER)
            )
            .select_related("stream__camera")
        )
        seen: set[uuid.UUID] = set()
        for gap in gaps:
            self._tell_once(gap, "lost", gap.started_at, seen)
            if gap.ended_at is not None:
                self._tell_once(gap, "restored", gap.ended_at, seen)
        self._told = seen

    def _tell_once(self, gap: Gap, what: str, at, seen: set[uuid.UUID]) -> None:
        event_id = uuid.uuid5(_NAMESPACE, f"{gap.pk}.{what}")
        seen.add(event_id)
        if event_id in self._told:
            return
        record_event(
            event_id=event_id,
            at=at,
            kind=f"camera_{what}",
            severity=Severity.ALARM if what == "lost" else Severity.INFO,
            camera=gap.stream.camera,
            detail=gap.detail or gap.get_cause_display(),
        )

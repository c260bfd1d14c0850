"""Runs retention on this server: looks at the volumes and rules every few seconds, plans, and purges.

A thread of the recorder's worker. Room is made before it is needed: each volume keeps a reserve free, the larger of 2 %
and ten minutes of everything that is being recorded. The rows looked at are bounded, so a round stays short however
large the archive is; what is left over comes in the next round.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from recorder.models import Hold, Segment
from recorder.retention.alarms import tell_forecast, tell_plan
from recorder.retention.outlook import closest_rules
from recorder.retention.plan import DAY_S, Candidate, RetentionPlan, Rule, plan_retention
from recorder.retention.purge import drain_garbage, purge_segments
from recorder.retention.room import measure_rooms
from recorder.retention.usage import count_usage, stored_bytes
from vms.cameras.models import Stream

logger = logging.getLogger(__name__)

ROUND_S = 10.0
ROUNDS_PER_RULE_CHECK = 6
"""Room is looked at in every round, days and quotas in every sixth."""
ROUNDS_PER_COUNT = 360
"""Everything is counted anew each hour, then the forecast is looked at."""
OLDEST_PER_STREAM = 30
"""Segments of a stream that one round may take: half an hour of footage, many times what arrives in a round."""


class RetentionKeeper(threading.Thread):
    def __init__(self, server_id: uuid.UUID) -> None:
        super().__init__(name="retention", daemon=True)
        self._server_id = server_id
        self._stop_requested = threading.Event()

    def run(self) -> None:
        rounds = 0
        while not self._stop_requested.wait(ROUND_S):
            try:
                if rounds % ROUNDS_PER_COUNT == 0:
                    now = timezone.now()
                    count_usage(self._server_id, now)
                    tell_forecast(self._server_id, now)
                keep_server(self._server_id, with_limits=rounds % ROUNDS_PER_RULE_CHECK == 0)
                rounds += 1
            except (DatabaseError, InterfaceError) as err:
                logger.warning("retention waits for the database (%s)", type(err).__name__)
                close_old_connections()
            except Exception:
                logger.exception("retention failed; the next round tries again")

    def stop(self) -> None:
        self._stop_requested.set()
        self.join(5)


def keep_server(server_id: uuid.UUID, *, with_limits: bool = True) -> RetentionPlan:
    """One round: plan, purge, delete files. Without `with_limits` only for room. Raises Django's database errors."""
    drain_garbage(server_id)
    rooms = measure_rooms(server_id)
    needed = {room.volume: room.needed_bytes for room in rooms if room.needed_bytes}
    if not needed and not with_limits:
        return RetentionPlan()
    streams = list(Stream.objects.all())
    rules = closest_rules(streams)
    now_s = timezone.now().timestamp()
    stored = stored_bytes(server_id) if any(rule.max_bytes is not None for rule in rules.values()) else {}
    candidates = gather_candidates(streams, rules, needed, now_s, stored)
    plan = plan_retention(candidates, rules, needed, now_s, stored)
    if plan.purge:
        purge_segments([row.segment for row in plan.purge])
        freed_bytes = drain_garbage(server_id)
        logger.info("retention: %d segments purged, %d bytes freed", len(plan.purge), freed_bytes)
    tell_plan(server_id, plan)
    return plan


def gather_candidates(
    streams: Iterable[Stream], rules: dict[int, Rule], needed: dict[str, int], now_s: float, stored: dict[int, int]
) -> list[Candidate]:
    """The oldest segments of every stream that a rule or a full volume asks for; one or two queries a stream. Held
    ones are left out: a long hold would else hide what may go behind it."""
    candidates: dict[int, Candidate] = {}
    for stream in streams:
        rule = rules.get(stream.pk, Rule())
        rows = _with_holds(Segment.objects.filter(stream=stream))
        wanted: list[QuerySet[Segment]] = []
        if rule.max_bytes is not None and stored.get(stream.pk, 0) > rule.max_bytes:
            wanted.append(rows.filter(is_held=False).order_by("started_at")[:OLDEST_PER_STREAM])
        if rule.max_days is not None:
            cutoff = datetime.fromtimestamp(now_s - rule.max_days * DAY_S, UTC)
            old = rows.filter(started_at__lt=cutoff, is_held=False).order_by("started_at")
            wanted.append(old[:OLDEST_PER_STREAM])
        for volume in needed:
            oldest = rows.filter(volume_id=volume, is_held=False).order_by("started_at")
            wanted.append(oldest[:OLDEST_PER_STREAM])
        for query in wanted:
            for row in query:
                candidates[row.pk] = Candidate(
                    row.pk, row.stream_id, str(row.volume_id), row.started_at.timestamp(), row.ended_at.timestamp(),
                    row.size_bytes, row.is_held,
                )  # fmt: skip
    return list(candidates.values())


def _with_holds(segments: QuerySet[Segment]) -> QuerySet[Segment]:
    hold = Hold.objects.filter(
        camera=OuterRef("stream__camera"), released_at__isnull=True,
        started_at__lt=OuterRef("ended_at"), ended_at__gt=OuterRef("started_at"),
    )  # fmt: skip
    return segments.annotate(is_held=Exists(hold))

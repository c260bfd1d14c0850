"""Runs retention on this server: looks at the volumes and rules every few seconds, plans, and purges.

A thread of the recorder's worker. Room is made before it is needed: each volume keeps a reserve free, the larger of 2 %
and ten minutes of everything that is being recorded. The rows looked at are bounded, so a round stays short however
large the archive is; what is left over comes in the next round.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from recorder.models import GarbageFile, Hold, RetentionRule, Segment
from recorder.retention.plan import DAY_S, Candidate, RetentionPlan, Rule, plan_retention
from recorder.retention.purge import drain_garbage, purge_segments
from vms.cameras.models import Stream, StreamStatus
from vms.events.models import Severity
from vms.events.services import record_event
from vms.servers.choices import VolumePurpose
from vms.servers.models import Server, Volume

logger = logging.getLogger(__name__)

ROUND_S = 10.0
ROUNDS_PER_RULE_CHECK = 6
"""Room is looked at in every round, days and quotas in every sixth."""
RESERVE_PART = 0.02
RESERVE_S = 600.0
OLDEST_PER_STREAM = 30
"""Segments of a stream that one round may take: half an hour of footage, many times what arrives in a round."""
_NAMESPACE = uuid.UUID("7c1f7a54-43a5-4a0c-8a5e-0a7a52f4ce55")


@dataclass(frozen=True, slots=True)
class VolumeRoom:
    """How full one volume is, and how full it may be."""

    volume: str
    free_bytes: int
    reserve_bytes: int

    @property
    def needed_bytes(self) -> int:
        return max(0, self.reserve_bytes - self.free_bytes)


def reserve_bytes(capacity_bytes: int, rate_bps: float) -> int:
    return int(max(capacity_bytes * RESERVE_PART, rate_bps / 8 * RESERVE_S))


def closest_rules(streams: Iterable[Stream]) -> dict[int, Rule]:
    """The rule that counts for each stream (see `RetentionRule`); one query."""
    rows = {(row.camera_id, row.stream_kind): row for row in RetentionRule.objects.all()}
    rules = {}
    for stream in streams:
        for key in ((stream.camera_id, stream.kind), (stream.camera_id, ""), (None, stream.kind), (None, "")):
            if row := rows.get(key):
                rules[stream.pk] = Rule(row.min_days, row.max_days, row.max_bytes)
                break
    return rules


class RetentionKeeper(threading.Thread):
    def __init__(self, server_id: uuid.UUID) -> None:
        super().__init__(name="retention", daemon=True)
        self._server_id = server_id
        self._stop_requested = threading.Event()

    def run(self) -> None:
        rounds = 0
        while not self._stop_requested.wait(ROUND_S):
            try:
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
    plan = plan_retention(gather_candidates(streams, rules, needed, now_s), rules, needed, now_s)
    if plan.purge:
        purge_segments([row.segment for row in plan.purge])
        freed_bytes = drain_garbage(server_id)
        logger.info("retention: %d segments purged, %d bytes freed", len(plan.purge), freed_bytes)
    _tell(server_id, plan)
    return plan


def measure_rooms(server_id: uuid.UUID) -> list[VolumeRoom]:
    """Of each archive volume that answers. Files that wait for deletion count as free."""
    rates = (
        StreamStatus.objects.filter(stream__camera__assignments__server_id=server_id,
                                    stream__camera__assignments__ends_at__isnull=True)
        .aggregate(total=Sum("bitrate_bps"))["total"] or 0
    )  # fmt: skip
    garbage = dict(
        GarbageFile.objects.filter(volume__server_id=server_id)
        .values_list("volume_id").annotate(total=Sum("size_bytes"))
    )  # fmt: skip
    rooms = []
    for volume in Volume.objects.filter(server_id=server_id, purpose=VolumePurpose.ARCHIVE):
        try:
            figures = os.statvfs(volume.path)
        except OSError:
            continue
        free_bytes = figures.f_bavail * figures.f_frsize + garbage.get(volume.pk, 0)
        rooms.append(VolumeRoom(str(volume.pk), free_bytes, reserve_bytes(figures.f_blocks * figures.f_frsize, rates)))
    return rooms


def gather_candidates(
    streams: Iterable[Stream], rules: dict[int, Rule], needed: dict[str, int], now_s: float
) -> list[Candidate]:
    """The oldest segments of every stream that a rule or a full volume asks for; one or two queries a stream."""
    candidates: dict[int, Candidate] = {}
    for stream in streams:
        rule = rules.get(stream.pk, Rule())
        rows = _with_holds(Segment.objects.filter(stream=stream))
        wanted: list[QuerySet[Segment]] = []
        if rule.max_bytes is not None:
            total = Segment.objects.filter(stream=stream).aggregate(total=Sum("size_bytes"))["total"] or 0
            if total > rule.max_bytes:
                wanted.append(rows.order_by("started_at"))  # the plan must see the whole stream to know its sum
        if rule.max_days is not None:
            cutoff = datetime.fromtimestamp(now_s - rule.max_days * DAY_S, UTC)
            wanted.append(rows.filter(started_at__lt=cutoff).order_by("started_at")[:OLDEST_PER_STREAM])
        for volume in needed:
            # Held segments are no candidates here: else a long hold would hide what may go behind it.
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


def _tell(server_id: uuid.UUID, plan: RetentionPlan) -> None:
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

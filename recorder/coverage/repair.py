"""Keeps the rows of the ledger whole: the recorder's worker calls `LedgerKeeper.keep` every minute, after a drain.

Only the stretch since the last time is looked at, and what late rows touched; the mark moves in the transaction that
writes the rows. Invariant: up to its `CoverageMark`, each second of a stream lies in exactly one recording or gap row.
The newest minute is left alone, for capture may still be telling of it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from recorder.causes import GapCause
from recorder.coverage.ledger import GapRow, Reason, Repair, RunRow, plan_repair
from recorder.coverage.report import is_meant_to_record
from recorder.models import CoverageMark, Gap, Recording, ServerSilence
from recorder.timeline import covers_since
from vms.api.times import EPOCH
from vms.cameras.models import Stream

SETTLE = timedelta(seconds=60)
"""Rows may come this much later than what they tell of; sane: 30 s to some minutes."""
RECHECK = timedelta(days=1)
"""A worker that starts looks back this far behind its marks: its forerunner may have died between drain and repair."""
NEAR = timedelta(minutes=10)
"""Streams whose window is shorter are read together."""
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    return EPOCH + at_us * _MICROSECOND


class LedgerKeeper:
    def __init__(self, server_id: uuid.UUID) -> None:
        self._server_id = server_id
        self._marks: dict[int, datetime] = {}
        self._is_fresh = True

    def keep(
        self,
        *,
        touched: Mapping[int, datetime] | None = None,
        reported: Callable[[Stream], bool] = lambda stream: True,
        now: datetime | None = None,
    ) -> int:
        """Make the rows of this server's streams whole up to a minute ago; returns how many repairs it took.

        `touched`: streams whose rows changed since the last call, and from when on. `reported`: whether capture says
        that it deals with a stream; where it should and doesn't, capture isn't running. Four queries when all is well.
        """
        now = now or timezone.now()
        streams = list(
            Stream.objects.filter(camera__server_id=self._server_id, camera__deleted_at__isnull=True).select_related(
                "camera"
            )
        )
        self._load_marks(streams)
        near: dict[int, datetime] = {}
        far: dict[int, datetime] = {}
        for stream in streams:
            start = self._marks[stream.pk]
            if touched and (late := touched.get(stream.pk)):
                start = min(start, max(late, covers_since(stream)))
            (near if now - start < NEAR else far)[stream.pk] = start
        by_pk = {stream.pk: stream for stream in streams}
        repairs = 0
        groups = ([near] if near else []) + [{pk: start} for pk, start in far.items()]
        for group in groups:
            members = [by_pk[pk] for pk in group]
            down = {stream.pk for stream in members if is_meant_to_record(stream) and not reported(stream)}
            repairs += self._repair(members, min(group.values()), now - SETTLE, down)
        return repairs

    def _load_marks(self, streams: Sequence[Stream]) -> None:
        missing = [stream for stream in streams if stream.pk not in self._marks]
        if not missing:
            return
        kept = dict(
            CoverageMark.objects.filter(stream__in=[stream.pk for stream in missing]).values_list(
                "stream_id", "complete_until"
            )
        )
        back = RECHECK if self._is_fresh else timedelta()
        self._is_fresh = False
        for stream in missing:
            since = covers_since(stream)
            self._marks[stream.pk] = max(since, kept[stream.pk] - back) if stream.pk in kept else since

    def _repair(self, streams: Sequence[Stream], start: datetime, end: datetime, down: set[int]) -> int:
        if end <= start:
            return 0
        with transaction.atomic():
            lock_ledgers([stream.pk for stream in streams])
            runs, gaps = _read(streams, start, end)
            silences = [
                Reason(to_us(first), to_us(last), GapCause.SERVER_DOWN.value, "The recorder was not running.", 1)
                for first, last in ServerSilence.objects.filter(
                    server=self._server_id, ended_at__gt=start, started_at__lt=end
                ).values_list("started_at", "ended_at")
            ]
            repairs = 0
            for stream in streams:
                since, until = max(start, covers_since(stream)), end
                reasons = list(silences)
                if stream.pk in down:
                    what = GapCause.SERVER_DOWN.value, "Capture was not running."
                    reasons.append(Reason(to_us(since), to_us(until), *what))
                repair = plan_repair(runs[stream.pk], gaps[stream.pk], reasons, to_us(since), to_us(until))
                if repair:
                    apply_repair(stream.pk, self._server_id, repair)
                    repairs += len(repair.cut) + len(repair.add)
            reached = {stream.pk: max(end, covers_since(stream)) for stream in streams}
            CoverageMark.objects.bulk_create(
                [CoverageMark(stream_id=pk, complete_until=at) for pk, at in reached.items()],
                update_conflicts=True, unique_fields=["stream"], update_fields=["complete_until"],
            )  # fmt: skip
        self._marks.update(reached)
        return repairs


def lock_ledgers(stream_ids: Iterable[int]) -> None:
    """Until the transaction ends, nobody else repairs or purges these streams. A no-op on SQLite, where a transaction
    that writes is alone anyway."""
    list(Stream.objects.select_for_update(no_key=True).filter(pk__in=stream_ids).order_by("pk").values_list("pk"))


def apply_repair(stream_id: int, server_id: uuid.UUID, repair: Repair) -> None:
    """Write a plan's rows; call it inside the transaction that read them."""
    for gap in Gap.objects.filter(pk__in=[str(pk) for pk in repair.cut]):
        pieces = repair.cut[gap.pk]
        if not pieces:
            gap.delete()
            continue
        first, *others = pieces
        Gap.objects.filter(pk=gap.pk).update(started_at=from_us(first[0]), ended_at=from_us(first[1]))
        for start_us, end_us in others:
            Gap.objects.create(
                stream_id=gap.stream_id, server_id=gap.server_id, epoch=gap.epoch, cause=gap.cause, detail=gap.detail,
                started_at=from_us(start_us), ended_at=from_us(end_us),
            )  # fmt: skip
    Gap.objects.bulk_create(
        Gap(
            stream_id=stream_id, server_id=server_id, started_at=from_us(piece.start_us), cause=piece.cause,
            ended_at=from_us(piece.end_us), detail=piece.detail,
        )
        for piece in repair.add
    )  # fmt: skip


def _read(
    streams: Sequence[Stream], start: datetime, end: datetime
) -> tuple[dict[int, list[RunRow]], dict[int, list[GapRow]]]:
    """An open run is taken to go on: `recorder.coverage.orphans` ends those that nobody writes any more."""
    keys = [stream.pk for stream in streams]
    runs: dict[int, list[RunRow]] = defaultdict(list)
    gaps: dict[int, list[GapRow]] = defaultdict(list)
    end_us = to_us(end)
    for key, first, last, epoch in (
        Recording.objects.filter(stream__in=keys).overlapping(start, end)
        .values_list("stream_id", "started_at", "ended_at", "epoch")
    ):  # fmt: skip
        runs[key].append(RunRow(to_us(first), end_us if last is None else to_us(last), epoch))
    for key, pk, first, last, cause, epoch in (
        Gap.objects.filter(stream__in=keys).overlapping(start, end)
        .values_list("stream_id", "id", "started_at", "ended_at", "cause", "epoch")
    ):  # fmt: skip
        gaps[key].append(GapRow(pk, to_us(first), None if last is None else to_us(last), cause, epoch))
    return runs, gaps

"""Ends recordings that no capture process writes any more, though nobody said that they ended.

Capture ends its former runs when it starts again. It can't when its journal was replaced, or when it never comes back;
then the run would stay open for ever, and seconds without footage would count as recorded. Runs in the recorder's
worker. Should capture yet tell the true end, that counts: the row is written again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection
from datetime import datetime

from django.db.models import Max

from recorder.causes import EndReason
from recorder.models import Recording, Segment

PATIENCE_S = 60.0
"""A run must be missing from capture's reports for this long: a shard takes seconds to start and to salvage."""


class OrphanEnder:
    def __init__(self, server_id: uuid.UUID, clock: Callable[[], float] = time.monotonic) -> None:
        self._server_id = server_id
        self._clock = clock
        self._missing_since: dict[uuid.UUID, float] = {}

    def end_orphans(self, reported_runs: Collection[str]) -> dict[int, datetime]:
        """`reported_runs`: what capture says it is writing now. Returns the streams concerned and where their footage
        ends. One query when all is well."""
        now_s = self._clock()
        open_runs = {
            pk: (stream_id, started_at)
            for pk, stream_id, started_at in Recording.objects.filter(
                server=self._server_id, ended_at__isnull=True
            ).values_list("id", "stream_id", "started_at")
        }
        missing = {pk for pk in open_runs if str(pk) not in reported_runs}
        self._missing_since = {pk: self._missing_since.get(pk, now_s) for pk in missing}
        orphans = [pk for pk, since_s in self._missing_since.items() if now_s - since_s >= PATIENCE_S]
        ends = dict(
            Segment.objects.filter(recording__in=orphans).order_by().values_list("recording_id")
            .annotate(Max("ended_at"))
        ) if orphans else {}  # fmt: skip
        ended: dict[int, datetime] = {}
        for pk in orphans:
            stream_id, started_at = open_runs[pk]
            ended_at = max(ends.get(pk, started_at), started_at)
            # The row stays even if it is empty: capture may still have a segment of it to tell.
            Recording.objects.filter(pk=pk, ended_at__isnull=True).update(
                ended_at=ended_at, end_reason=EndReason.CRASHED
            )
            ended[stream_id] = min(ended.get(stream_id, ended_at), ended_at)
            del self._missing_since[pk]
        return ended

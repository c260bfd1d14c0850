"""Writes down when the recorder of a server was not heard of, at the first sign of life after it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import transaction

from recorder.models import ServerSilence
from vms.servers.models import Server

SILENT_AFTER = timedelta(seconds=15)
"""Heartbeats come every 5 s; sane: three of them to a minute."""


@transaction.atomic
def beat(server_id: uuid.UUID, now: datetime, **fields: object) -> bool:
    """The server lives: `last_seen_at` and `fields` are written. True when that ends a silence."""
    seen_at = Server.objects.select_for_update().values_list("last_seen_at", flat=True).get(pk=server_id)
    Server.objects.filter(pk=server_id).update(last_seen_at=now, **fields)
    if seen_at is None or now - seen_at <= SILENT_AFTER:
        return False
    ServerSilence.objects.create(server_id=server_id, started_at=seen_at, ended_at=now)
    return True

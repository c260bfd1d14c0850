"""Pushing to browsers and writing events. Only text about state goes through the channel layer, never footage."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from vms.events.models import Event, Severity

logger = logging.getLogger(__name__)

PUSH_TIMEOUT_S = 0.5
"""A hanging Redis costs a change of settings this much, not the client library's five seconds."""


def camera_group(camera_id: uuid.UUID | str) -> str:
    """Channels group of those who may see this camera; joined only after a check of rights."""
    return f"camera.{camera_id}"


EVERYBODY_GROUP = "site"


def push(group: str, message: dict[str, Any]) -> None:
    """Send `message` (JSON) to every socket in `group`. The channel layer may be away: the pages poll then."""
    layer = get_channel_layer()
    if layer is None:
        return

    async def send() -> None:
        await asyncio.wait_for(layer.group_send(group, {"type": "push", "message": message}), PUSH_TIMEOUT_S)

    try:
        async_to_sync(send)()
    except Exception as err:  # any failure of Redis must leave the caller's work standing
        logger.warning("An event was not pushed: %s", type(err).__name__)


def record_event(
    *,
    event_id: uuid.UUID,
    at: datetime,
    kind: str,
    severity: Severity,
    camera=None,
    server=None,
    detail: str = "",
) -> bool:
    """Write an event once (its ID is the source's) and push it on commit. False when it was there already."""
    event, is_new = Event.objects.get_or_create(
        id=event_id,
        defaults={"at": at, "kind": kind, "severity": severity, "camera": camera, "server": server, "detail": detail},
    )
    if is_new:
        message = {
            "type": "event",
            "id": str(event.id),
            "at": at.isoformat(),
            "kind": kind,
            "severity": severity,
            "camera": str(camera.pk) if camera else None,
            "detail": detail,
        }
        group = camera_group(camera.pk) if camera else EVERYBODY_GROUP
        transaction.on_commit(lambda: push(group, message))
    return is_new

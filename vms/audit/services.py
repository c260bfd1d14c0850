"""Writing the audit trail: inside the transaction of the change it tells of."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from django.db.models import Model

from vms.audit.models import AuditEntry

client_address: ContextVar[str | None] = ContextVar("client_address", default=None)
"""Address of the request's client; set by the middleware, empty in workers and commands."""

MASK = "•••"


def record_audit(
    *,
    actor: Any,
    action: str,
    target: Model | None = None,
    detail: Mapping[str, Any] | None = None,
    outcome: str = "done",
) -> AuditEntry:
    """Add an entry. `actor` is a user or None for the product itself. `detail` must hold no secret: a changed
    password is told as `MASK`."""
    return AuditEntry.objects.create(
        actor=actor if actor is not None and actor.pk else None,
        actor_name=actor.get_username() if actor is not None else "system",
        address=client_address.get(),
        action=action,
        object_type=(target._meta.model_name or "") if target is not None else "",
        object_id=str(target.pk) if target is not None else "",
        object_name=str(target)[:200] if target is not None else "",
        outcome=outcome,
        detail=dict(detail or {}),
    )

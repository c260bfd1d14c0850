"""Rules and holds as people set them: each function is one transaction with the row and its audit entry.

Called by API and pages, which have checked rights. A rule that can't be kept is saved all the same; `find_shortfalls`
says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from recorder.coverage.repair import lock_ledgers
from recorder.models import Hold, RetentionRule
from recorder.retention.outlook import StreamOutlook, read_outlooks
from vms.audit.services import record_audit
from vms.cameras.choices import StreamKind
from vms.cameras.models import Camera
from vms.servers.models import Server
from vms.servers.services import touch_all_configs, touch_config

_FIELDS = ("min_days", "max_days", "max_bytes")


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A promise that the disks can't keep at today's rate."""

    row: StreamOutlook

    @property
    def sentence(self) -> str:
        outlook = self.row.outlook
        kept, promise = outlook.kept_days or 0.0, outlook.promise_days or 0.0
        name = f"{self.row.stream.camera.name} ({StreamKind(self.row.stream.kind).label.lower()} stream)"
        missing = f"{outlook.missing_bytes / 1e9:.1f} GB"
        return f"{name}: room for {kept:.1f} of {promise:g} days; {missing} are missing."


def save_rule(*, actor: Any, rule: RetentionRule, **limits: Any) -> tuple[RetentionRule, list[Shortfall]]:
    """Create or change `rule` (unsaved: created). Raises Django's `ValidationError`."""
    if unknown := set(limits) - set(_FIELDS):
        raise TypeError(f"can't set {sorted(unknown)}")
    with transaction.atomic():
        is_new = rule._state.adding
        before = {name: getattr(rule, name) for name in _FIELDS}
        for name, value in limits.items():
            setattr(rule, name, value)
        rule.full_clean()
        rule.save()
        after = {name: getattr(rule, name) for name in _FIELDS}
        detail = {"stream": rule.stream_kind, "after": after} | ({} if is_new else {"before": before})
        action = "retention.created" if is_new else "retention.changed"
        record_audit(actor=actor, action=action, target=rule.camera or rule, detail=detail)
        _touch(rule.camera)
    return rule, find_shortfalls(rule.camera)


@transaction.atomic
def delete_rule(*, actor: Any, rule: RetentionRule) -> None:
    before = {name: getattr(rule, name) for name in _FIELDS}
    detail = {"stream": rule.stream_kind, "before": before}
    record_audit(actor=actor, action="retention.deleted", target=rule.camera or rule, detail=detail)
    camera = rule.camera
    rule.delete()
    _touch(camera)


def _touch(camera: Camera | None) -> None:
    if camera is None:
        touch_all_configs()
    else:
        touch_config(camera.server)


def find_shortfalls(camera: Camera | None = None, kinds: Iterable[str] = StreamKind.values) -> list[Shortfall]:
    """What is promised on the servers concerned and can't be kept; of all streams, for a promise costs the others."""
    servers = Server.objects.filter(is_recorder=True)
    if camera is not None:
        servers = servers.filter(pk=camera.server_id)
    wanted = set(kinds)
    return [
        Shortfall(row)
        for server in servers
        for row in read_outlooks(server.pk)
        if row.outlook.is_short and row.stream.kind in wanted
    ]


@transaction.atomic
def create_hold(*, actor: Any, camera: Camera, started_at: datetime, ended_at: datetime, reason: str) -> Hold:
    """Forbid purging the camera's footage of `[started_at, ended_at)`. A purge that runs just now comes before or
    after, never in between: what is there once this has committed stays."""
    lock_ledgers(camera.streams.values_list("pk", flat=True))
    hold = Hold(camera=camera, started_at=started_at, ended_at=ended_at, reason=reason, created_by=actor)
    hold.full_clean(exclude=["created_by"])
    hold.save(force_insert=True)
    record_audit(actor=actor, action="hold.created", target=camera, detail=_describe(hold))
    return hold


@transaction.atomic
def release_hold(*, actor: Any, hold: Hold) -> bool:
    """From now on the footage may go by the rules. False when somebody released it before."""
    now = timezone.now()
    is_mine = Hold.objects.filter(pk=hold.pk, released_at__isnull=True).update(released_at=now, released_by=actor)
    hold.refresh_from_db()
    if is_mine:
        record_audit(actor=actor, action="hold.released", target=hold.camera, detail=_describe(hold))
    return bool(is_mine)


def _describe(hold: Hold) -> dict[str, str]:
    return {
        "hold": str(hold.pk),
        "from": hold.started_at.isoformat(),
        "to": hold.ended_at.isoformat(),
        "reason": hold.reason,
    }

"""Servers and volumes of the site: their rows, and telling a recorder that its settings changed.

Every change that concerns a recorder raises its server's `config_version` in the same transaction; after the commit the
recorder gets a nudge over Celery. The nudge may get lost (Redis away): recorders look at the version every second.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F

from vms.audit.services import record_audit
from vms.servers.local import ensure_local_server
from vms.servers.models import Server, Volume

logger = logging.getLogger(__name__)

_POKE_TIMEOUT_S = 0.3
"""A request waits at most about this long for a broker that hangs; a broker that is gone refuses at once."""


def default_server() -> Server:
    """Where a camera goes when nobody says: the server of this process, else the main one, else any. A site without
    a server gets this machine's."""
    servers = list(Server.objects.filter(is_recorder=True).order_by("-is_main", "created_at"))
    local = [server for server in servers if server.name == settings.VMS_SERVER_NAME]
    if local or servers:
        return (local or servers)[0]
    return ensure_local_server()


def touch_config(server: Server) -> None:
    """Raise the server's `config_version` now (call it inside the transaction of the change) and nudge its recorder on
    commit."""
    Server.objects.filter(pk=server.pk).update(config_version=F("config_version") + 1)
    name = server.name
    transaction.on_commit(lambda: poke_recorder(name))


def touch_all_configs() -> None:
    for server in Server.objects.filter(is_recorder=True):
        touch_config(server)


def poke_recorder(server_name: str) -> None:
    """Ask the recorder to look at its settings now. Never raises; costs a few milliseconds."""
    options = {"socket_timeout": _POKE_TIMEOUT_S, "socket_connect_timeout": _POKE_TIMEOUT_S, "max_retries": 1}
    try:
        with current_app.connection_for_write(transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=_POKE_TIMEOUT_S)
            current_app.send_task(
                "recorder.reconcile",
                queue=f"recorder.{server_name}",
                ignore_result=True,
                expires=5,
                connection=connection,
                retry=False,
            )
    except Exception as err:  # whatever is wrong with the broker, the change is saved and will be noticed
        logger.info("The recorder of %s was not nudged: %s", server_name, type(err).__name__)


@transaction.atomic
def update_server(*, actor: Any, server: Server, **changes: Any) -> Server:
    """Change `description` or `external_media_url`. The name stays: queue and worker are called after it."""
    return _update_row(actor, server, "server.changed", {"description", "external_media_url"}, changes)


@transaction.atomic
def update_volume(*, actor: Any, volume: Volume, **changes: Any) -> Volume:
    """Change `is_enabled`: whether new footage may be written to the volume. Old footage stays readable."""
    volume = _update_row(actor, volume, "volume.changed", {"is_enabled"}, changes)
    touch_config(volume.server)
    return volume


def _update_row(actor: Any, row: Any, action: str, allowed: set[str], changes: dict[str, Any]) -> Any:
    if unknown := set(changes) - allowed:
        raise TypeError(f"can't change {sorted(unknown)}")
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return row
    before = {name: getattr(row, name) for name in changed}
    for name, value in changed.items():
        setattr(row, name, value)
    row.full_clean(validate_unique=False, validate_constraints=False)
    row.save(update_fields=list(changed))
    record_audit(actor=actor, action=action, target=row, detail={"before": before, "after": changed})
    return row

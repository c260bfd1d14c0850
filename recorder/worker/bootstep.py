"""The step that makes a Celery worker named `recorder@<server>` the recorder of that server.

Celery's messages stay short (reconcile, restart a camera); recording itself is no task, for a task that runs for
hours would be delivered a second time. Registered on the app by `vms.celery`.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from celery import bootsteps

if TYPE_CHECKING:
    from recorder.retention.keeper import RetentionKeeper
    from recorder.worker.checker import ArchiveChecker
    from recorder.worker.shards import ShardKeeper
    from recorder.worker.sitelink import SiteLink

logger = logging.getLogger(__name__)

NODE_PREFIX = "recorder@"

_running: RecorderStep | None = None
"""The step of this process, once it runs."""


def poke_recorder() -> None:
    """Have the recorder of this process read the settings now; does nothing in any other process."""
    if _running is not None and _running.link is not None:
        _running.link.poke()


class RecorderStep(bootsteps.StartStopStep):
    requires = {"celery.worker.components:Pool"}

    def __init__(self, parent, **kwargs) -> None:
        super().__init__(parent, **kwargs)
        self.keeper: ShardKeeper | None = None
        self.link: SiteLink | None = None
        self.retention: RetentionKeeper | None = None
        self.checker: ArchiveChecker | None = None

    def include_if(self, parent) -> bool:
        return parent.hostname.startswith(NODE_PREFIX)

    def start(self, parent) -> None:
        # Django's apps are ready by now; importing models any earlier would fail.
        from django.conf import settings

        from recorder.retention.keeper import RetentionKeeper
        from recorder.worker.checker import ArchiveChecker
        from recorder.worker.shards import ShardKeeper
        from recorder.worker.sitelink import SiteLink
        from vms.servers.local import ensure_local_server

        global _running
        _running = self
        shards = shard_count()
        # Capture first: it records from the desired state it has, database or not.
        self.keeper = ShardKeeper(settings.VMS_HOME, shards)
        self.keeper.start()
        server_id = ensure_local_server().pk
        self.link = SiteLink(server_id, shards)
        self.link.start()
        self.retention = RetentionKeeper(server_id)
        self.retention.start()
        self.checker = ArchiveChecker(server_id)
        self.checker.start()

    def stop(self, parent) -> None:
        if self.checker is not None:
            self.checker.stop()
            self.checker = None
        if self.retention is not None:
            self.retention.stop()
            self.retention = None
        if self.keeper is not None:
            self.keeper.stop()
            self.keeper = None
        if self.link is not None:
            self.link.stop()
            self.link = None

    terminate = stop


def shard_count() -> int:
    """One capture process per core."""
    return max(1, os.cpu_count() or 1)

"""The step that makes a Celery worker named `recorder@<server>` the recorder of that server.

Celery's messages stay short (reconcile, restart a camera); recording itself is no task, for a task that runs for
hours would be delivered a second time. Registered on the app by `vms.celery`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from celery import bootsteps

if TYPE_CHECKING:
    from recorder.worker.shards import ShardKeeper
    from recorder.worker.sitethreads import SiteThreads

NODE_PREFIX = "recorder@"

_running: RecorderStep | None = None
"""The step of this process, once it runs."""


def poke_recorder() -> None:
    """Have the recorder of this process read the settings now; does nothing in any other process."""
    if _running is not None and _running.site is not None and _running.site.link is not None:
        _running.site.link.poke()


class RecorderStep(bootsteps.StartStopStep):
    requires = {"celery.worker.components:Pool"}

    def __init__(self, parent, **kwargs) -> None:
        super().__init__(parent, **kwargs)
        self.keeper: ShardKeeper | None = None
        self.site: SiteThreads | None = None

    def include_if(self, parent) -> bool:
        return parent.hostname.startswith(NODE_PREFIX)

    def start(self, parent) -> None:
        # Django's apps are ready by now; importing models any earlier would fail.
        from django.conf import settings

        from recorder.worker.shards import ShardKeeper
        from recorder.worker.sitethreads import SiteThreads

        global _running
        _running = self
        shards = shard_count()
        self.keeper = ShardKeeper(settings.VMS_HOME, shards)
        self.keeper.start()
        self.site = SiteThreads(shards)
        self.site.start()

    def stop(self, parent) -> None:
        if self.site is not None:
            self.site.stop_housekeeping()
        if self.keeper is not None:
            self.keeper.stop()
            self.keeper = None
        if self.site is not None:
            self.site.stop_link()
            self.site = None

    terminate = stop


def shard_count() -> int:
    """One capture process per core."""
    return max(1, os.cpu_count() or 1)

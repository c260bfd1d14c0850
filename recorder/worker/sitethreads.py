"""What the recorder does with the site's database: begun as soon as the database answers, however late that is.

Apart from the shards, so that a recorder which starts while the database is away records from the desired state it has.
"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, InterfaceError, close_old_connections

from recorder.retention.keeper import RetentionKeeper
from recorder.worker.checker import ArchiveChecker
from recorder.worker.sitelink import MAX_BACKOFF_S, ROUND_S, SiteLink
from vms.servers.local import ensure_local_server

logger = logging.getLogger(__name__)


class SiteThreads(threading.Thread):
    def __init__(self, shards: int) -> None:
        super().__init__(name="site", daemon=True)
        self._shards = shards
        self._stop_requested = threading.Event()
        self.link: SiteLink | None = None
        self._others: list[RetentionKeeper | ArchiveChecker] = []

    def run(self) -> None:
        backoff_s = ROUND_S
        while not self._stop_requested.is_set():
            try:
                server_id = ensure_local_server().pk
            except (DatabaseError, InterfaceError) as err:
                logger.warning("the database does not answer (%s), again in %.1f s", type(err).__name__, backoff_s)
                close_old_connections()
                self._stop_requested.wait(backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
                continue
            self.link = SiteLink(server_id, self._shards)
            self._others = [RetentionKeeper(server_id), ArchiveChecker(server_id)]
            for thread in (self.link, *self._others):
                thread.start()
            return

    def stop_housekeeping(self) -> None:
        """Retention and checks end; the link goes on, for capture still has something to tell."""
        self._stop_requested.set()
        self.join()
        for thread in self._others:
            thread.stop()

    def stop_link(self) -> None:
        """After capture has ended: write what it told last."""
        if self.link is not None:
            self.link.stop()

"""The recorder's link to the site's database: desired state down, journal, status and events up.

A thread of the recorder's Celery worker. When the database is away it tries again with growing pauses; capture goes
on from the desired state it has, and the journal keeps what the rows will need.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from recorder.capture.journal import JournalReader
from recorder.coverage.orphans import OrphanEnder
from recorder.coverage.repair import LedgerKeeper
from recorder.coverage.silence import beat
from recorder.worker.disabled import open_gaps_of_disabled_streams
from recorder.worker.drain import BATCH_ENTRIES, JournalDrain
from recorder.worker.outages import OutageTeller
from recorder.worker.reconcile import Reconciler
from recorder.worker.status import StatusWriter, read_fresh_reports
from vms.servers.choices import ServerState
from vms.servers.models import Volume
from vms.servers.volumes import measure_volume

logger = logging.getLogger(__name__)

ROUND_S = 0.5
HEARTBEAT_S = 5.0
VOLUMES_S = 30.0
LEDGER_S = 60.0
MAX_BACKOFF_S = 10.0


class SiteLink(threading.Thread):
    def __init__(self, server_id: uuid.UUID, shards: int) -> None:
        super().__init__(name="sitelink", daemon=True)
        self._server_id = server_id
        self._shards = shards
        self._reconciler = Reconciler(server_id, shards)
        self._drain = JournalDrain(server_id)
        self._status = StatusWriter(server_id, shards)
        self._outages = OutageTeller(server_id)
        self._readers: dict[int, tuple[int, JournalReader]] = {}
        """Per shard the inode of its journal and the reader of that file."""
        self._wake = threading.Event()
        self._stop_requested = False
        self._heartbeat_due = self._volumes_due = 0.0
        self._ledger = LedgerKeeper(server_id)
        self._orphans = OrphanEnder(server_id)
        self._touched: dict[int, datetime] = {}
        # Capture gets a moment to tell of its former life before anybody explains it otherwise.
        self._ledger_due = time.monotonic() + LEDGER_S / 2

    def poke(self) -> None:
        """Something changed: reconcile now instead of at the next round."""
        self._wake.set()

    def run(self) -> None:
        backoff_s = ROUND_S
        while not self._stop_requested:
            try:
                self._round()
                backoff_s = ROUND_S
            except (DatabaseError, InterfaceError) as err:
                logger.warning("the database does not answer (%s), again in %.1f s", type(err).__name__, backoff_s)
                close_old_connections()
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
            except Exception:
                logger.exception("the link to the site failed, again in %.1f s", backoff_s)
                backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
            self._wake.wait(backoff_s)
            self._wake.clear()

    def stop(self) -> None:
        """Write what is still in the journal (capture has closed its segments by now), then end."""
        self._stop_requested = True
        self._wake.set()
        self.join(5)
        try:
            self._drain_all()
            self._status.write()
        except Exception as err:
            logger.warning("the journal was not drained at the end (%s); the next start does it", type(err).__name__)

    def _round(self) -> None:
        self._reconciler.reconcile()
        is_drained = self._drain_all()
        self._status.write()
        now = time.monotonic()
        if now >= self._heartbeat_due:
            self._heartbeat_due = now + HEARTBEAT_S
            beat(self._server_id, timezone.now(), state=ServerState.ONLINE, version=settings.VMS_VERSION)
            open_gaps_of_disabled_streams(self._server_id)
            self._outages.tell()
        if is_drained and now >= self._ledger_due:
            self._ledger_due = now + LEDGER_S
            self._keep_ledger()
        if now >= self._volumes_due:
            self._volumes_due = now + VOLUMES_S
            for volume in Volume.objects.filter(server_id=self._server_id, is_enabled=True):
                measure_volume(volume)

    def _keep_ledger(self) -> None:
        reports = read_fresh_reports(self._shards)
        ended = self._orphans.end_orphans({report.run for report in reports if report.run})
        for news in (self._drain.take_touched(), ended):
            for stream_id, at in news.items():
                self._touched[stream_id] = min(self._touched.get(stream_id, at), at)
        keys = {report.key for report in reports}
        self._ledger.keep(touched=self._touched, reported=lambda stream: str(stream) in keys)
        self._touched.clear()

    def _drain_all(self) -> bool:
        """False where a journal can't be read now, so that rows may be missing."""
        is_drained = True
        for shard in range(self._shards):
            try:
                if (reader := self._reader(shard)) is not None:
                    while self._drain.drain(reader) == BATCH_ENTRIES:
                        pass
            except sqlite3.Error as err:
                logger.warning("the journal of shard %d can't be read now: %s", shard, err)
                self._readers.pop(shard, None)
                is_drained = False
        return is_drained

    def _reader(self, shard: int) -> JournalReader | None:
        """None while the shard made no journal yet; opened anew when the shard had to replace a broken one."""
        path = settings.VMS_HOME.journal(shard)
        try:
            inode = path.stat().st_ino
            if shard not in self._readers or self._readers[shard][0] != inode:
                self._readers[shard] = inode, JournalReader(path)
        except FileNotFoundError:
            return None
        return self._readers[shard][1]

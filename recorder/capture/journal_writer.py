"""The thread that writes the shard's journal: entries in, batches of one transaction out.

Owned by the shard; fed from its event loop and from the committers of its volumes. Keeps the order in which
entries were handed over. When the disk of the journal is full the entries wait in memory (bounded) and
recording goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from typing import Any

from recorder.capture.journal import Journal

MAX_WAITING = 200_000
"""Entries kept in memory while the journal can't be written; 128 streams make about 130 a minute."""
MAX_BATCH = 500
RETRY_S = 1.0

log = logging.getLogger("capture.journal")


class JournalWriter:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._wake = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self.dropped = 0
        self.is_failing = False

    def start(self) -> None:
        self._thread.start()

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        """Hand over an entry; returns at once. Any thread."""
        with self._wake:
            if len(self._waiting) >= MAX_WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((kind, payload))
            self._wake.notify()

    def stop(self, timeout_s: float) -> bool:
        """Write what waits and end; true when everything was written in time."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)
        is_done = not self._thread.is_alive() and not self._waiting
        if is_done:
            self._journal.close()
        return is_done

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._is_stopping:
                    self._wake.wait()
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            try:
                self._journal.append(batch)
                self.is_failing = False
            except sqlite3.Error as err:
                if not self.is_failing:
                    log.error("the journal %s can't be written, entries wait in memory: %s", self._journal.path, err)
                self.is_failing = True
                with self._wake:
                    self._waiting.extendleft(reversed(batch))
                    if self._is_stopping:
                        return
                    self._wake.wait(RETRY_S)

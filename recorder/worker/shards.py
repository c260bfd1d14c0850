"""Keeps the capture processes (shards) of this server alive: one per core, started here, adopted when found running.

Runs as a thread of the recorder's Celery worker and touches neither database nor broker. A shard holds a lock on
`run/capture-<n>.lock`; when this worker died without a word its shards went on recording, and the next worker finds
the lock held and adopts the process instead of starting a second one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from recorder.home import VmsHome

logger = logging.getLogger(__name__)

POLL_S = 0.1
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0
GOOD_RUN_S = 10.0
STOP_TIMEOUT_S = 5.0


def lock_owner(path: Path) -> int | None:
    """Process ID of the shard that holds the lock file, None when nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(fd)
    return None


class Shard:
    """One capture process, ours or adopted, watched through a pidfd (a process ID alone could be reused)."""

    def __init__(self, number: int, home: VmsHome) -> None:
        self.number = number
        self._home = home
        self._pidfd: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_s = FIRST_BACKOFF_S
        self._next_start_at = 0.0

    @property
    def is_running(self) -> bool:
        if self._pidfd is None:
            return False
        readable, _, _ = select.select([self._pidfd], [], [], 0)
        return not readable

    def keep(self) -> None:
        """Start or adopt the process when it isn't there; call often."""
        now = time.monotonic()
        if self.is_running:
            return
        if self._pidfd is not None:
            self._forget(now)
        if now < self._next_start_at:
            return
        if (owner := lock_owner(self._home.capture_lock(self.number))) is not None:
            try:
                self._pidfd = os.pidfd_open(owner)
            except ProcessLookupError:
                return
            self._started_at = now
            logger.info("capture shard %d adopted (pid %d)", self.number, owner)
            return
        log_path = self._home.log / f"capture-{self.number}.log"
        with log_path.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "recorder.capture", "--home", str(self._home.root),
                 "--shard", str(self.number)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._pidfd = os.pidfd_open(self._child.pid)
        self._started_at = now
        logger.info("capture shard %d started (pid %d)", self.number, self._child.pid)

    def signal_stop(self) -> None:
        if self._pidfd is not None and self.is_running:
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    def wait_stopped(self, timeout_s: float) -> None:
        """Returns when the process is gone; kills it after `timeout_s`."""
        if self._pidfd is None:
            return
        readable, _, _ = select.select([self._pidfd], [], [], timeout_s)
        if not readable:
            logger.warning("capture shard %d did not end in time: killed", self.number)
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            select.select([self._pidfd], [], [], STOP_TIMEOUT_S)
        self._forget(time.monotonic())

    def _forget(self, now: float) -> None:
        code = self._child.wait() if self._child is not None else "adopted"
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._pidfd = self._child = None
        if now - self._started_at >= GOOD_RUN_S:
            self._backoff_s = FIRST_BACKOFF_S
        self._next_start_at = now + self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, MAX_BACKOFF_S)
        logger.warning("capture shard %d ended (%s)", self.number, code)


class ShardKeeper(threading.Thread):
    def __init__(self, home: VmsHome, count: int) -> None:
        super().__init__(name="shards", daemon=True)
        self.shards = [Shard(number, home) for number in range(count)]
        self._stop_requested = threading.Event()

    def run(self) -> None:
        while not self._stop_requested.wait(POLL_S):
            for shard in self.shards:
                try:
                    shard.keep()
                except OSError:
                    logger.exception("capture shard %d could not be started", shard.number)

    def stop(self) -> None:
        """End all shards, each closing its segments; returns when they are gone."""
        self._stop_requested.set()
        self.join()
        for shard in self.shards:
            shard.signal_stop()
        for shard in self.shards:
            shard.wait_stopped(STOP_TIMEOUT_S)

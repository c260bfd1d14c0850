"""One supervised service: a child process that is started again whenever it ends.

Used by the supervisor in the parent process (`manage.py up`). Each child leads its own process group, so that Ctrl-C
in a terminal reaches only the parent, which then stops them in order. A child whose parent dies without a word is
killed by the kernel (PR_SET_PDEATHSIG); capture, a grandchild, is not, and goes on recording until the next recorder
worker adopts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 30.0
GOOD_RUN_S = 20.0
"""A run of this length counts as healthy: the next failure starts with the shortest pause again."""
MAX_LOG_BYTES = 20_000_000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    name: str
    argv: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    stop_timeout_s: float = 4.0
    """How long it may take to end after SIGTERM before it is killed."""


class Service:
    def __init__(self, spec: ServiceSpec, log_directory: Path) -> None:
        self.spec = spec
        self.process: asyncio.subprocess.Process | None = None
        self.restarts = 0
        self.started_at: float | None = None
        """Monotonic seconds of the current run's start."""
        self._log_path = log_directory / f"{spec.name}.log"
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Keep the child alive until `stop()`; pauses grow from 0.2 s to 30 s while it keeps failing."""
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            started = time.monotonic()
            outcome: int | str
            try:
                outcome = await self._run_once()
            except OSError as err:
                outcome = f"not started ({err.strerror})"
            if self._stopping.is_set():
                return
            if time.monotonic() - started >= GOOD_RUN_S:
                backoff_s = FIRST_BACKOFF_S
            logger.warning("%s ended (%s), again in %.1f s; see %s", self.spec.name, outcome, backoff_s, self._log_path)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff_s)
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
            self.restarts += 1

    async def _run_once(self) -> int:
        self._trim_log()
        with self._log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.spec.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.started_at = time.monotonic()
        logger.info("%s started (pid %d)", self.spec.name, self.process.pid)
        return await self.process.wait()

    async def stop(self) -> None:
        """End the child: SIGTERM, and SIGKILL to its group after `stop_timeout_s`. Returns when it is gone."""
        self._stopping.set()
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_timeout_s)
        except TimeoutError:
            logger.warning("%s did not end within %g s: killed", self.spec.name, self.spec.stop_timeout_s)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _trim_log(self) -> None:
        """Keep one older log: children hold the file open in append mode, so it is moved only between runs."""
        with contextlib.suppress(FileNotFoundError):
            if self._log_path.stat().st_size > MAX_LOG_BYTES:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))

"""The parent of all services of this server: starts them in order, keeps them, stops them in reverse.

Runs in the process of `manage.py up`. Holds no state outside itself and depends on no database.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from watchdog.exceptions import CannotStartError
from watchdog.service import Service, ServiceSpec

logger = logging.getLogger(__name__)


class Supervisor:
    def __init__(self, specs: Sequence[ServiceSpec], *, log_directory: Path, on_started: Callable[[], None]) -> None:
        self.services = [Service(spec, log_directory) for spec in specs]
        self._on_started = on_started
        self._stop_requested = asyncio.Event()

    async def run(self) -> None:
        """Until SIGINT or SIGTERM; then everything has ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop_requested.set)
        tasks = []
        for service in self.services:
            tasks.append(asyncio.create_task(service.run(), name=service.spec.name))
            if service.spec.name == "redis":
                await asyncio.sleep(0.2)  # the others connect at once; they would only retry
        self._on_started()
        await self._stop_requested.wait()
        logger.info("stopping")
        # The recorder first: it closes the open segments, and needs nothing of the others for that.
        for service in reversed(self.services):
            await service.stop()
        await asyncio.gather(*tasks)


def hold_instance_lock(path: Path) -> int:
    """An open, locked file descriptor that this process keeps. Raises `CannotStartError` when another holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as err:
        owner = os.pread(fd, 32, 0).decode(errors="replace").strip()
        os.close(fd)
        raise CannotStartError(
            f"Heron runs already in {path.parent.parent} (process {owner}): stop it, or choose another VMS_HOME."
        ) from err
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def require_free_port(address: str, port: int, variable: str) -> None:
    """Raises `CannotStartError` that names the port and the variable to change."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as err:
            raise CannotStartError(
                f"Port {port} on {address} can't be used ({err.strerror}): "
                f"stop what uses it, or choose another with {variable}."
            ) from err

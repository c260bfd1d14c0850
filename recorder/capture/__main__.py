"""`python -m recorder.capture --home VMS_HOME --shard K`: one capture process. Started by the recorder's
worker.

Logs one line per change to stderr. Ends with 0 after SIGTERM or SIGINT, with 3 when the shard runs already,
with 1 when it can't start; each with a line that says why.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import gc
import logging
import os
import resource
import signal
import sqlite3
import sys
import threading
from pathlib import Path

import uvloop

from recorder.capture.shard import Shard
from recorder.home import VmsHome

EXIT_FAILED = 1
EXIT_RUNS_ALREADY = 3
STOP_WITHIN_S = 4.0
"""After a signal the process ends at the latest then, whatever hangs."""


def take_lock(path: Path) -> int | None:
    """The descriptor that holds the shard's lock for the life of the process, None when another one holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def raise_file_limit() -> None:
    """A stream takes two descriptors, and the usual soft limit of 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def run_shard(home: VmsHome, number: int) -> None:
    shard = Shard(home, number)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        watchdog = threading.Timer(STOP_WITHIN_S, os._exit, (EXIT_FAILED,))
        watchdog.daemon = True
        watchdog.start()
        shard.stop()

    for number_of_signal in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number_of_signal, stop)
    # The hot path makes no reference cycles; looking for them 10 times a second would be a waste.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    await shard.run()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="recorder.capture", description="Record the streams of one shard.")
    parser.add_argument("--home", type=Path, required=True, help="what VMS_HOME names")
    parser.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format=f"%(asctime)s capture-{options.shard} %(levelname)s %(name)s: %(message)s",
    )
    home = VmsHome(options.home.resolve())
    try:
        home.make_directories()
        lock = take_lock(home.capture_lock(options.shard))
    except OSError as err:
        print(f"capture: {home.root} can't be used: {err.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    if lock is None:
        print(f"capture: shard {options.shard} runs already in {home.root}", file=sys.stderr)  # noqa: T201
        return EXIT_RUNS_ALREADY
    raise_file_limit()
    try:
        uvloop.run(run_shard(home, options.shard))
    except (OSError, sqlite3.Error) as err:
        print(f"capture: the journal {home.journal(options.shard)} can't be used: {err}", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs a command with a PostgreSQL server of its own: `python -m tests.postgres COMMAND...`.

The server lives in a temporary directory, listens only on a unix socket there, and is gone afterwards. PostgreSQL
refuses to run as root, so root starts it as the user `postgres` that Debian's package makes. The command finds it in
`VMS_DATABASE_URL`; without PostgreSQL on the machine the exit status is 0 and one line says so.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_binaries() -> Path | None:
    """Directory of the newest installed PostgreSQL's programs."""
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path(), key=str).parent or None


@contextmanager
def postgres_server(binaries: Path) -> Iterator[str]:
    """A running server; gives its URL for Django."""
    directory = Path(tempfile.mkdtemp(prefix="heron-pg-"))
    drop = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(directory, user.pw_uid, user.pw_gid)
        drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    cluster = directory / "cluster"
    subprocess.run(
        [binaries / "initdb", "-D", cluster, "-A", "trust", "-U", "heron", "--no-sync", "-E", "UTF8", "--locale=C"],
        check=True, stdout=subprocess.DEVNULL, cwd=directory, **drop,
    )  # fmt: skip
    server = subprocess.Popen(
        [binaries / "postgres", "-D", cluster, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off"],
        stdout=subprocess.DEVNULL, stderr=(directory / "log").open("wb"), cwd=directory, **drop,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while subprocess.run([binaries / "pg_isready", "-q", "-h", directory], check=False).returncode:
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((directory / "log").read_text())
            time.sleep(0.05)
        yield f"postgres://heron@/postgres?host={directory}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(directory, ignore_errors=True)


def main(command: list[str]) -> int:
    binaries = find_binaries()
    if binaries is None or not (binaries / "postgres").exists():
        print("PostgreSQL is not installed here: its tests are left out.")
        return 0
    with postgres_server(binaries) as url:
        return subprocess.run(command, env={**os.environ, "VMS_DATABASE_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

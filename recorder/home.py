"""Where everything the product writes lies below `VMS_HOME`. Used by every process; no Django.

`recorder/` outlives a reboot, `run/` needn't: locks, sockets, status and the live directory are made anew.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class VmsHome:
    root: Path

    @classmethod
    def from_environment(cls, default: Path) -> VmsHome:
        """`VMS_HOME`, or `default` where it isn't set."""
        return cls(Path(os.environ.get("VMS_HOME") or default).resolve())

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def desired(self) -> Path:
        return self.root / "recorder" / "desired.json"

    @property
    def live(self) -> Path:
        """Symlinks `<camera>.<stream>` to the open segment of each running stream."""
        return self.run / "live"

    @property
    def media_key(self) -> Path:
        return self.secrets / "media.key"

    @property
    def default_volume(self) -> Path:
        return self.root / "volumes" / "main"

    @property
    def redis_socket(self) -> Path:
        return self.run / "redis.sock"

    def journal(self, shard: int) -> Path:
        return self.root / "recorder" / f"journal-{shard}.sqlite"

    def status(self, shard: int) -> Path:
        return self.run / f"status-{shard}.json"

    def capture_lock(self, shard: int) -> Path:
        return self.run / f"capture-{shard}.lock"

    def make_directories(self) -> None:
        """Idempotent; all of mode 0700, for passwords and footage lie below. Raises `OSError`."""
        for path in (
            self.root,
            self.run,
            self.log,
            self.secrets,
            self.live,
            self.desired.parent,
            self.root / "volumes",
        ):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read_or_make_secret(self, name: str, length_bytes: int = 48) -> bytes:
        """A random secret kept in `secrets/<name>`, mode 0600; made by whoever asks first."""
        path = self.secrets / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        temporary = path.with_name(f".{name}.{os.getpid()}")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(secrets.token_bytes(length_bytes))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails where another process was first: then its secret holds
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return path.read_bytes()

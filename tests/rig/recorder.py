"""Capture alone (desired state, volumes, `python -m recorder.capture`), with the shim, and with the faults of a
process.

No database, no worker: what the recorder does here it must do with everything else dead. Like the recorder's
worker, `keep` starts
the process again when it ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from recorder.capture.desired import StreamSpec, VolumeSpec
from recorder.home import VmsHome
from tests.recorder.capture.shard_process import ROOT, ShardProcess, wait_until
from tests.rig.shim import Shim

START_TRIES_S = 0.1


class Recorder(ShardProcess):
    """`volumes` are directories that exist; each is made a volume. Faults on disks and the clock go through `shim`."""

    def __init__(self, directory: Path, volumes: list[Path], *, home: Path | None = None, with_shim: bool = True,
                 seed: int = 1) -> None:  # fmt: skip
        self.home = VmsHome(home or directory / "home")
        self.home.make_directories()
        self.volumes = [make_volume(path) for path in volumes]
        self.streams: dict[str, StreamSpec] = {}
        self.version = 0
        self.process: subprocess.Popen | None = None
        self.log = directory / "capture.log"
        self.environment: dict[str, str] = {}
        self.shim = Shim(directory, seed=seed) if with_shim else None
        self.started_s: list[float] = []

    def start(self) -> None:
        environment = {**os.environ, **(self.shim.environment if self.shim else {}), **self.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recorder.capture", "--home", str(self.home.root), "--shard", "0"],
                cwd=ROOT, stderr=log, env=environment,
            )  # fmt: skip
        self.started_s.append(time.time())

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def volume_path(self, number: int = 0) -> Path:
        return Path(self.volumes[number].path)

    def stop(self) -> float:
        """Ends in order; `-9` when the disks of the rig don't let it."""
        if self.shim is not None:
            self.shim.lift()
        return super().stop()

    def end(self) -> None:
        if self.shim is not None:
            self.shim.lift()
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
        super().end()

    def tail(self, size: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-size:]

    def wait_rows(
        self, kind: str, spec: StreamSpec, count: int = 1, *, timeout_s: float = 20, **wanted: Any
    ) -> list[dict]:
        """The rows of one stream that have the wanted values, once there are `count`."""

        def found() -> list[dict]:
            rows = self.rows(kind, spec) if kind != "run_ended" else self.rows(kind)
            return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]

        wait_until(lambda: len(found()) >= count, timeout_s, f"{count} {kind} {wanted}: {self.tail()}")
        return found()

    def wait_frames(self, spec: StreamSpec, more: int = 15, *, timeout_s: float = 20) -> None:
        """Until so many more frames were recorded than now."""
        status = self.stream(spec)
        goal = (status.frames if status else 0) + more
        wait_until(lambda: (now := self.stream(spec)) is not None and now.frames >= goal, timeout_s,
                   f"{more} more frames: {self.tail()}")  # fmt: skip

    def volume_of(self, spec: StreamSpec) -> Path | None:
        """Where the open segment lies, by the live link."""
        try:
            target = (self.home.live / spec.key).readlink()
        except OSError:
            return None
        return next((Path(volume.path) for volume in self.volumes if target.is_relative_to(volume.path)), None)


def make_volume(path: Path) -> VolumeSpec:
    """Give the directory its `meta`, as the product does."""
    meta = path / "meta"
    if not meta.exists():
        meta.write_text(json.dumps({"format": 1, "volume": str(uuid.uuid4())}))
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    return VolumeSpec(json.loads(meta.read_text())["volume"], str(path))

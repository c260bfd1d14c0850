"""A real shard: `python -m recorder.capture` on a home in the test's directory."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, write_desired
from recorder.capture.journal import Entry, JournalReader
from recorder.capture.status import ShardStatus, StreamStatus, read_status
from recorder.home import VmsHome

ROOT = Path(__file__).resolve().parents[3]
SERVER = str(uuid.uuid4())


def camera_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"camera {number}"))


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> float:
    """Seconds it took; fails the test with `what` when it takes too long."""
    started_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - started_s
        assert waited_s < timeout_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)  # the poll interval of the condition
    return time.monotonic() - started_s


class ShardProcess:
    def __init__(self, directory: Path, *, volumes: int = 1) -> None:
        self.home = VmsHome(directory / "home")
        self.home.make_directories()
        self.volumes = []
        for number in range(volumes):
            path = directory / f"volume-{number}"
            path.mkdir(exist_ok=True)
            volume = VolumeSpec(str(uuid.uuid4()), str(path))
            (path / "meta").write_text(json.dumps({"volume": volume.id}))
            self.volumes.append(volume)
        self.streams: dict[str, StreamSpec] = {}
        self.version = 0
        self.process: subprocess.Popen | None = None
        self.log = directory / "capture.log"

    def want(self, number: int, url: str, *, stream: str = "main", **settings: object) -> StreamSpec:
        spec = StreamSpec(
            camera_id(number),
            stream,
            0,
            1,
            url,
            settings.pop("volume", self.volumes[0].id),
            segment_s=settings.pop("segment_s", 2),
            allow_loopback=True,
            **settings,
        )
        self.streams[spec.key] = spec
        return spec

    def apply(self) -> None:
        self.version += 1
        write_desired(
            self.home.desired,
            DesiredState(SERVER, self.version, 1, (), tuple(self.volumes), tuple(self.streams.values())),
        )

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "recorder.capture", "--home", str(self.home.root), "--shard", "0"],
                cwd=ROOT,
                stderr=log,
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        started_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0
        return time.monotonic() - started_s

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def status(self) -> ShardStatus | None:
        with contextlib.suppress(FileNotFoundError):
            return read_status(self.home.status(0))
        return None

    def stream(self, spec: StreamSpec) -> StreamStatus | None:
        status = self.status()
        return next((stream for stream in status.streams if stream.key == spec.key), None) if status else None

    def is_in(self, state: str, *specs: StreamSpec) -> bool:
        status = self.status()
        if status is None or status.pid != self.process.pid:
            return False
        states = {stream.key: stream.state for stream in status.streams}
        return all(states.get(spec.key) == state for spec in specs)

    def wait_for(self, state: str, *specs: StreamSpec, timeout_s: float = 20) -> float:
        return wait_until(lambda: self.is_in(state, *specs), timeout_s, f"{state}: {self.log.read_text()[-3000:]}")

    def entries(self) -> list[Entry]:
        try:
            reader = JournalReader(self.home.journal(0))
        except FileNotFoundError:
            return []
        try:
            return reader.read(0, 10**6)
        except sqlite3.OperationalError:  # the shard is still making the file
            return []
        finally:
            reader.close()

    def rows(self, kind: str, spec: StreamSpec | None = None) -> list[dict]:
        return [
            entry.payload
            for entry in self.entries()
            if entry.kind == kind
            and (
                spec is None or (entry.payload.get("camera"), entry.payload.get("stream")) == (spec.camera, spec.stream)
            )
        ]

    def files(self, spec: StreamSpec) -> list[Path]:
        found = [
            path for volume in self.volumes for path in (Path(volume.path) / spec.camera / spec.stream).rglob("*.mp4")
        ]
        return sorted(found, key=lambda path: int(path.name.split("-")[0]))

"""The `simcam` fixture: simulated cameras in a process of their own, told what to do through their standard input."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CLIP_CACHE = Path(tempfile.gettempdir()) / f"simcam-tests-{os.getuid()}"


class SimcamProcess:
    """`python -m recorder.simcam` with the given options, ready when the constructor returns."""

    def __init__(self, directory: Path, cameras: int, *options: str, port: int = 0) -> None:
        self.ledger = directory / "ledger.jsonl"
        self._log_path = directory / "simcam.log"
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "recorder.simcam", "--cameras", str(cameras), "--port", str(port),
                    "--control", "-", "--ledger", str(self.ledger), "--cache", str(CLIP_CACHE), *options,
                ],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"simcam didn't start: {self.log()[-2000:]}")
        self.port: int = json.loads(line)["port"]

    def url(self, camera: int = 1, stream: str = "main", userinfo: str = "") -> str:
        at = f"{userinfo}@" if userinfo else ""
        return f"rtsp://{at}127.0.0.1:{self.port}/{camera}/{stream}"

    def ask(self, line: str) -> str:
        """One control line; the answer without `ok`. Raises `ValueError` where it is refused."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        word, _, rest = self.process.stdout.readline().strip().partition(" ")
        if word != "ok":
            raise ValueError(rest or "the simulator ended")
        return rest

    def inject(self, camera: int | None, fault: str, stream: str | None = None) -> None:
        """A fault in the notation of `recorder.simcam.faults`: `inject(1, "stall@0s,3s")`; None is every camera."""
        place = "*" if camera is None else str(camera)
        self.ask(f"{place}{f'/{stream}' if stream else ''}:{fault}")

    def frames(self) -> int:
        return int(self.ask("frames"))

    def viewers(self) -> int:
        return int(self.ask("viewers"))

    def log(self) -> str:
        return self._log_path.read_text(errors="replace")

    def stop(self) -> None:
        """After it the ledger is whole."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def simcam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., SimcamProcess]]:
    """`simcam(cameras, "--codec", "h265", ...)` starts simulated cameras; all end with the test."""
    running: list[SimcamProcess] = []

    def start(cameras: int = 1, *options: str, port: int = 0) -> SimcamProcess:
        running.append(SimcamProcess(tmp_path_factory.mktemp("simcam"), cameras, *options, port=port))
        return running[-1]

    yield start
    for process in running:
        process.stop()

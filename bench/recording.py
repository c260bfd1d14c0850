"""What recording costs: our capture against one ffmpeg per camera, on the same simulated cameras in the same
minutes.

Prints one JSON object a line (CPU, memory, and lost frames at twice the cameras). The simulator's CPU isn't
counted; medians of alternating runs. `python bench/recording.py [--cameras 64] [--runs 3] [--seconds 20]
[--many 128] [--directory DIR]`.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, write_desired  # noqa: E402
from recorder.capture.status import read_status  # noqa: E402
from recorder.home import VmsHome  # noqa: E402
from tests.oracle.footage import read_footage  # noqa: E402

SHARDS = 2
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Cost:
    cpu_ms: float
    """Milliseconds of CPU (user and system) for each camera and second."""
    memory_mb: float
    """PSS for each camera."""


def cpu_s(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def pss_mb(pids: list[int]) -> float:
    total_kb = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total_kb += int(line.split()[1])
    return total_kb / 1024


def measure(pids: list[int], cameras: int, seconds: float) -> Cost:
    """Over a window of `seconds` from now."""
    start_cpu_s, started_s = cpu_s(pids), time.monotonic()
    time.sleep(seconds)
    span_s = time.monotonic() - started_s
    return Cost((cpu_s(pids) - start_cpu_s) * 1000 / cameras / span_s, pss_mb(pids) / cameras)


@contextlib.contextmanager
def simulated_cameras(count: int, directory: Path, cache: Path) -> Iterator[int]:
    """Port of `count` cameras: 1080p, 15 fps, 1.6 Mbit/s, keyframe every 2 s, no sound."""
    log = (directory / "simcam.log").open("wb")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "recorder.simcam",
            "--cameras",
            str(count),
            "--port",
            "0",
            "--size",
            "1920x1080",
            "--audio",
            "none",
            "--cache",
            str(cache),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    try:
        yield json.loads(process.stdout.readline())["port"]
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def our_capture(port: int, cameras: int, directory: Path) -> Iterator[tuple[VmsHome, list[int]]]:
    home = VmsHome(directory / "home")
    home.make_directories()
    volume = VolumeSpec(str(uuid.uuid4()), str(home.default_volume))
    home.default_volume.mkdir()
    (home.default_volume / "meta").write_text(json.dumps({"volume": volume.id}))
    streams = tuple(
        StreamSpec(
            str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
            "main",
            number % SHARDS,
            1,
            f"rtsp://127.0.0.1:{port}/{number}/main",
            volume.id,
            allow_loopback=True,
        )
        for number in range(1, cameras + 1)
    )
    write_desired(home.desired, DesiredState(str(uuid.uuid4()), 1, SHARDS, (), (volume,), streams))
    log = (directory / "capture.log").open("wb")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "recorder.capture", "--home", str(home.root), "--shard", str(shard)],
            cwd=ROOT,
            stderr=log,
        )
        for shard in range(SHARDS)
    ]
    try:
        wait_for(lambda: count_recording(home) == cameras, 60, "all cameras recording")
        yield home, [process.pid for process in processes]
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(10)


def count_recording(home: VmsHome) -> int:
    count = 0
    for shard in range(SHARDS):
        with contextlib.suppress(FileNotFoundError):
            count += sum(stream.state == "recording" for stream in read_status(home.status(shard)).streams)
    return count


@contextlib.contextmanager
def ffmpegs(port: int, cameras: int, directory: Path) -> Iterator[list[int]]:
    processes = []
    for number in range(1, cameras + 1):
        target = directory / f"camera-{number}"
        target.mkdir()
        processes.append(
            subprocess.Popen(
                [
                    "ffmpeg",
                    "-v",
                    "error",
                    "-nostdin",
                    "-rtsp_transport",
                    "tcp",
                    "-i",
                    f"rtsp://127.0.0.1:{port}/{number}/main",
                    "-c",
                    "copy",
                    "-f",
                    "segment",
                    "-segment_time",
                    "60",
                    "-segment_format",
                    "mp4",
                    "-segment_format_options",
                    "movflags=frag_keyframe+empty_moov",
                    str(target / "%05d.mp4"),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    try:
        wait_for(lambda: len(list(directory.glob("camera-*/*.mp4"))) == cameras, 90, "all ffmpegs recording")
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def wait_for(condition: object, timeout_s: float, what: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.2)


def lost_frames(volume: Path) -> tuple[int, int]:
    """(frames lost or repeated, frames seen) by the counters in the frames of every camera."""
    lost = seen = 0
    for camera in sorted(volume.iterdir()):
        if not camera.is_dir():
            continue
        counters: list[int] = []
        for path in sorted(camera.rglob("*.mp4"), key=lambda path: int(path.name.split("-")[0])):
            counters += [frame.counter for frame in read_footage(path).frames if frame.counter is not None]
        seen += len(counters)
        lost += sum(later - earlier != 1 for earlier, later in itertools.pairwise(counters))
    return lost, seen


def report(bench: str, ours: float, peer: float | None, unit: str, **more: object) -> None:
    ratio = round(ours / peer, 3) if peer else None
    print(
        json.dumps(
            {
                "bench": bench,
                "ours": round(ours, 3),
                "peer": round(peer, 3) if peer else None,
                "ratio": ratio,
                "unit": unit,
                **more,
            }
        ),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cameras", type=int, default=64)
    parser.add_argument("--many", type=int, default=128, help="cameras of the run that counts lost frames; 0 for none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument(
        "--directory", type=Path, default=None, help="where to record; on the disk that shall be measured"
    )
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="bench-recording-", dir=options.directory))
    cache = Path(tempfile.gettempdir()) / f"simcam-bench-{os.getuid()}"
    ours: list[Cost] = []
    peer: list[Cost] = []
    try:
        with simulated_cameras(max(options.cameras, options.many), root, cache) as port:
            for run in range(options.runs):
                directory = root / f"run-{run}"
                directory.mkdir()
                with our_capture(port, options.cameras, directory) as (_, pids):
                    ours.append(measure(pids, options.cameras, options.seconds))
                if not options.only_ours:
                    with ffmpegs(port, options.cameras, directory) as pids:
                        peer.append(measure(pids, options.cameras, options.seconds))
                shutil.rmtree(directory)
            for name, unit in (("cpu_ms", "ms CPU per camera-second"), ("memory_mb", "MB PSS per camera")):
                medians = [
                    statistics.median(getattr(cost, name) for cost in costs) if costs else None
                    for costs in (ours, peer)
                ]
                spread = [[round(getattr(cost, name), 3) for cost in costs] for costs in (ours, peer)]
                report(f"recording_{name}", medians[0], medians[1], unit, n=options.cameras, runs=spread)
            if options.many:
                directory = root / "many"
                directory.mkdir()
                with our_capture(port, options.many, directory) as (home, pids):
                    cost = measure(pids, options.many, options.seconds)
                lost, seen = lost_frames(home.default_volume)
                report(
                    "recording_lost_frames",
                    lost,
                    None,
                    "frames",
                    n=options.many,
                    frames=seen,
                    cpu_ms=round(cost.cpu_ms, 3),
                    memory_mb=round(cost.memory_mb, 3),
                )
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()

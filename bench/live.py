"""Live pictures: first picture, camera clock to picture, and what 1, 10 and 50 viewers cost. JSON, an object a line.

Real parts: simulated camera, capture, media service, Chromium. `python bench/live.py [--runs N] [--seconds S]`.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import http.server
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import httpx
import psutil
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, write_desired  # noqa: E402
from recorder.home import VmsHome  # noqa: E402
from recorder.media.tokens import sign_media_token  # noqa: E402

SIMCAM, MEDIA, PAGES = 18450, 18451, 18452
CHROMIUM = "/usr/bin/chromium"


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(bench: str, ours: float, limit: float | None, unit: str, n: int, **more: object) -> None:
    ratio = round(ours / limit, 3) if limit else None
    line = {
        "bench": bench,
        "ours": round(ours, 2),
        "peer": limit,
        "ratio": ratio,
        "unit": unit,
        "n": n,
        **more,
    }
    print(json.dumps(line), flush=True)


class Chain:
    """Camera, capture and media service as processes of their own."""

    def __init__(self, directory: Path) -> None:
        self.home = VmsHome(directory)
        self.home.make_directories()
        self.camera = str(uuid.uuid4())
        self.key = self.home.read_or_make_secret("media.key")
        volume = str(uuid.uuid4())
        self.home.default_volume.mkdir(parents=True)
        (self.home.default_volume / "meta").write_text(json.dumps({"volume": volume}))
        write_desired(
            self.home.desired,
            DesiredState(
                server=str(uuid.uuid4()),
                config_version=1,
                shards=1,
                camera_networks=("127.0.0.0/8",),
                volumes=(VolumeSpec(volume, str(self.home.default_volume)),),
                streams=tuple(
                    StreamSpec(
                        self.camera,
                        kind,
                        0,
                        1,
                        f"rtsp://127.0.0.1:{SIMCAM}/1/{kind}",
                        volume,
                        allow_loopback=True,
                    )
                    for kind in ("main", "sub")
                ),
            ),
        )
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        log = (self.home.log / "bench.log").open("wb")
        for arguments in (
            ["recorder.simcam", "--cameras", "1", "--port", str(SIMCAM)],
            ["recorder.capture", "--home", str(self.home.root), "--shard", "0"],
            ["recorder.media", "--home", str(self.home.root), "--port", str(MEDIA)],
        ):
            self.processes.append(
                subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=log, stderr=log)
            )
        deadline = time.monotonic() + 60
        while len(list(self.home.live.iterdir())) < 2 or not self._answers():
            if time.monotonic() > deadline:
                raise SystemExit(f"the chain doesn't start, see {self.home.log}/bench.log")
            time.sleep(0.2)
        time.sleep(3)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{MEDIA}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(10)

    def url(self, stream: str) -> str:
        now = time.time()
        claims = {
            "sub": "user:1",
            "sid": None,
            "cam": self.camera,
            "str": "*",
            "use": "live",
            "from": None,
            "to": None,
        }
        token = sign_media_token({**claims, "iat": now, "exp": now + 300}, self.key)
        return f"ws://127.0.0.1:{MEDIA}/m/{token}/live?stream={stream}"

    def camera_connections(self) -> int:
        capture = psutil.Process(self.processes[1].pid)
        others = [capture, *capture.children(), psutil.Process(self.processes[2].pid)]
        return sum(
            bool(link.raddr) and link.raddr.port == SIMCAM for one in others for link in one.net_connections("tcp")
        )

    def media_cpu_s(self) -> float:
        times = psutil.Process(self.processes[2].pid).cpu_times()
        return times.user + times.system


class QuietPages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def bench_browser(chain: Chain, runs: int, seconds: int) -> None:
    from playwright.sync_api import sync_playwright

    handler = functools.partial(QuietPages, directory=str(ROOT / "bench"))
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", PAGES), handler)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-quic",
            "--no-first-run",
        ]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{PAGES}/live_page.html")
        for stream in ("main", "sub"):
            for kind, limit in (("mse", 400), ("webcodecs", 150)):
                first, latencies = [], []
                for _ in range(runs):
                    result = page.evaluate("([k, u, s]) => run(k, u, s)", [kind, chain.url(stream), 1])
                    if result["first"] is None:
                        raise SystemExit(f"{kind} shows no picture: {result}")
                    first.append(result["first"])
                result = page.evaluate("([k, u, s]) => run(k, u, s)", [kind, chain.url(stream), seconds])
                latencies += result["latencies"]
                size = f"{result['description']['width']}x{result['description']['height']}"
                report(
                    f"live first picture p95, {kind}, {stream}", percentile(first, 0.95), 300, "ms", len(first),
                    median=round(statistics.median(first), 1), size=size,
                )  # fmt: skip
                report(
                    f"live camera clock to picture p95, {kind}, {stream}", percentile(latencies, 0.95), limit, "ms",
                    len(latencies), median=round(statistics.median(latencies), 1), size=size,
                )  # fmt: skip
        browser.close()
    pages.shutdown()


async def _watch(url: str, counts: list[int], ready: asyncio.Semaphore) -> None:
    async with connect(url, compression=None, max_size=None) as socket:
        ready.release()
        while True:
            message = await socket.recv()
            counts[0] += len(message)


async def measure_viewers(chain: Chain, viewers: int, seconds: float) -> tuple[float, float, int]:
    """CPU ms per second of the media service, Mbit/s to all, connections to the camera."""
    counts, ready = [0], asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_watch(chain.url("main"), counts, ready)) for _ in range(viewers)]
    for _ in tasks:
        await ready.acquire()
    await asyncio.sleep(1)
    cpu, begun, counts[0] = chain.media_cpu_s(), time.monotonic(), 0
    await asyncio.sleep(seconds)
    took = time.monotonic() - begun
    used, links = chain.media_cpu_s() - cpu, await asyncio.to_thread(chain.camera_connections)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return used / took * 1000, counts[0] * 8e-6 / took, links


def bench_viewers(chain: Chain, seconds: float) -> None:
    figures: dict[int, list[float]] = {1: [], 10: [], 50: []}
    for _ in range(3):
        for viewers, costs in figures.items():
            cost, rate, links = asyncio.run(measure_viewers(chain, viewers, seconds))
            costs.append(cost)
            report(f"live fan-out, {viewers} viewers, one run", cost, None, "CPU ms/s", 1, mbit_s=round(rate, 1))
    for viewers, costs in figures.items():
        report(f"live fan-out, {viewers} viewers", statistics.median(costs), None, "CPU ms/s", len(costs))
    report("live camera connections at 50 viewers (main and sub)", links, 2, "connections", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="clicks per kind of player")
    parser.add_argument("--seconds", type=int, default=15, help="of each latency and fan-out measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="heron-live-", dir=os.environ.get("TMPDIR")) as directory:
        chain = Chain(Path(directory))
        try:
            chain.start()
            bench_viewers(chain, options.seconds / 2)
            if Path(CHROMIUM).exists():
                bench_browser(chain, options.runs, options.seconds)
        finally:
            chain.stop()


if __name__ == "__main__":
    main()

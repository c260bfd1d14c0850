"""Live pictures: first picture, camera clock to picture, and what 1, 10 and 50 viewers cost. JSON, an object a line.

Fan-out by the media service alone; everything else by the product's own pages in Chromium, while the whole product
runs and records. `python bench/live.py [--runs N] [--seconds S]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.asyncio.client import connect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.browser import LOG_PICTURES, ages_ms, percentile, report, sent_times, signed_in_page, until  # noqa: E402
from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, write_desired  # noqa: E402
from recorder.home import VmsHome  # noqa: E402
from recorder.media.tokens import sign_media_token  # noqa: E402
from tests.product import Product, running_product, wait_for  # noqa: E402

SIMCAM, MEDIA = 19150, 19151
STARTS = 5
LOOK_S = 0.5
"""A person looks at the picture between two clicks."""
RESTART = """([player, stream]) => {
    player.stop();
    player.setAttribute("stream", stream);
    player.judgeVisibility();
}"""
TILES = "[...document.querySelectorAll('heron-player')]"
LOG_CLICKS = """() => {
    window.clicks = { main: [], sub: [] };
    let at = 0;
    let tile = null;
    for (const name of ["dblclick", "keydown"]) {
        addEventListener(name, (event) => {
            at = event.timeStamp;
            tile = event.target.closest?.("heron-player") || tile;
        }, true);
    }
    addEventListener("heron-picture", (event) => {
        if (event.target === tile) window.clicks[event.detail.stream].push(performance.now() - at);
    });
}"""


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


def bench_pages(runs: int, seconds: int) -> None:
    """Double clicks on the wall and one camera's page, by each rung of the player's ladder."""
    with running_product() as product:
        wait_for(lambda: all(one["state"] == "recording" for one in product.cameras()), 60, "cameras record")
        with signed_in_page(product) as page:
            for rung, limit_ms in (("webcodecs", 150), ("mse", 400)):
                bench_clicks(page, rung, runs)
                bench_age(page, product, rung, limit_ms, seconds)
            bench_navigation(page, product, max(5, runs // 2))


def bench_clicks(page: Any, rung: str, runs: int) -> None:
    """A tile is enlarged (main stream) and goes back (sub stream): from the hand to the new stream's picture."""
    page.goto("/")
    until(page, f"{TILES}.length >= 4 && {TILES}.every(p => p.stats.pictures > 3)")
    page.evaluate(f"{TILES}.forEach(p => p.setAttribute('rung', '{rung}'))")
    page.evaluate(LOG_CLICKS)
    for run in range(runs):
        page.locator("heron-player").nth(run % 4).dblclick()
        until(page, f"window.clicks.main.length > {run}")
        time.sleep(LOOK_S)
        page.keyboard.press("Escape")
        until(
            page,
            f"window.clicks.sub.length > {run} && {TILES}.every(p => !p.coming && p.stats.stream === 'sub')",
        )
        time.sleep(LOOK_S)
    for stream, first_ms in page.evaluate("window.clicks").items():
        report(
            f"live first picture p95, {rung}, {stream}", percentile(first_ms, 0.95), 300, "ms", len(first_ms),
            median=round(statistics.median(first_ms), 1), largest=round(max(first_ms), 1),
        )  # fmt: skip


def bench_navigation(page: Any, product: Product, runs: int) -> None:
    """A camera's whole page is opened: from the start of the navigation, page and scripts included."""
    camera, took_ms = product.cameras()[0]["id"], []
    for _ in range(runs):
        page.goto("/")
        page.goto(f"/cameras/{camera}/", wait_until="commit")
        took_ms.append(until(page, f"performance.getEntriesByName('heron:picture:{camera}')[0]?.startTime"))
    report(
        "live first picture p95, page opened", percentile(took_ms, 0.95), None, "ms", runs,
        median=round(statistics.median(took_ms), 1),
    )  # fmt: skip


def bench_age(page: Any, product: Product, rung: str, limit_ms: float, seconds: int) -> None:
    """Starts and steady watching of both streams: from the camera's clock to the picture on the screen."""
    camera, player = product.cameras()[0]["id"], "document.querySelector('heron-player')"
    page.goto(f"/cameras/{camera}/")
    page.evaluate(f"{player}.setAttribute('rung', '{rung}')")
    for stream in ("main", "sub"):
        element = page.query_selector("heron-player")
        page.evaluate(LOG_PICTURES, element)
        for _ in range(STARTS):
            page.evaluate(RESTART, [element, stream])
            until(
                page,
                f"(s => s.pictures > 8 && s.stream === '{stream}' && s.rung === '{rung}')({player}.stats)",
            )
        begins = page.evaluate(f"{player}.pictureLog.length")
        time.sleep(seconds)
        pictures, dropped = page.evaluate(f"[{player}.pictureLog, {player}.stats.dropped]")
        time.sleep(1.5)  # until the footage of the last pictures is on the disk
        sent = sent_times(product, camera, stream)
        starts, steady = ages_ms(pictures[:begins], sent), ages_ms(pictures[begins:], sent)
        ages = starts + steady
        report(
            f"live camera clock to picture p95, {rung}, {stream}", percentile(ages, 0.95), limit_ms, "ms", len(ages),
            median=round(statistics.median(ages), 1), steady_p95=round(percentile(steady, 0.95), 1),
            starts_p95=round(percentile(starts, 0.95), 1), starts_n=len(starts), largest=round(max(ages), 1),
            dropped=dropped,
        )  # fmt: skip


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
    parser.add_argument("--runs", type=int, default=20, help="clicks for each rung of the player")
    parser.add_argument("--seconds", type=int, default=20, help="of each latency and fan-out measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="heron-live-", dir=os.environ.get("TMPDIR")) as directory:
        chain = Chain(Path(directory))
        try:
            chain.start()
            bench_viewers(chain, options.seconds / 2)
        finally:
            chain.stop()
    bench_pages(options.runs, options.seconds)


if __name__ == "__main__":
    main()

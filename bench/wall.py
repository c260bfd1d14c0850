"""A wall of many tiles in one page: how soon all show pictures, and what the browser needs. JSON, an object a line.

Real parts: the whole product records that many simulated cameras (small pictures, so that the cameras don't take the
machine), Chromium shows their sub streams. `python bench/wall.py [--tiles N] [--seconds S]`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.browser import percentile, report, signed_in_page, until
from tests.product import Product, running_product, wait_for
from tests.recorder.simcam.fixtures import SimcamProcess

TILES = "[...document.querySelectorAll('heron-player')]"
PICTURES = ("--size", "320x180", "--sub-size", "320x180", "--fps", "5", "--audio", "none", "--kbit-s", "300")


def add_cameras(product: Product, cameras: SimcamProcess, count: int) -> None:
    for number in range(1, count + 1):
        body = {
            "name": f"Camera {number}",
            "main_url": cameras.url(number),
            "sub_url": cameras.url(number, "sub"),
        }
        product.request("POST", "/api/v1/cameras/", body)
    wait_for(lambda: all(one["state"] == "recording" for one in product.cameras()), 120, "all cameras record")


def browser_processes() -> list[psutil.Process]:
    """Chromium's, all of them children of Playwright's driver, which is ours."""
    return [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def bench_wall(product: Product, tiles: int, seconds: float) -> None:
    errors: list[str] = []
    with signed_in_page(product) as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto("/set-up/cameras/")
        page.goto("/", wait_until="commit")
        first_ms = until(
            page,
            f"{TILES}.length === {tiles} && {TILES}.every(p => p.stats.pictures) && performance.now()",
            60,
        )
        report(f"wall of {tiles}, all tiles show a picture", first_ms, None, "ms", 1)
        before = page.evaluate(f"{TILES}.map(p => p.stats.pictures)")
        chromium = browser_processes()
        begun, used_s = time.monotonic(), cpu_s(chromium)
        time.sleep(seconds)
        used, took_s = cpu_s(chromium) - used_s, time.monotonic() - begun
        shown = page.evaluate(f"{TILES}.map(p => p.stats.pictures)")
        rates = [(after - earlier) / took_s for after, earlier in zip(shown, before, strict=True)]
        ages = page.evaluate(f"{TILES}.flatMap(p => p.stats.latencies_ms.slice(-20))")
        memory_mb = sum(one.memory_full_info().pss for one in chromium) / 2**20
        notes = page.evaluate(f"{TILES}.filter(p => p.querySelector('.note:not([hidden])')).length")
        report(
            f"wall of {tiles}, Chromium's CPU", used / took_s * 1000, None, "ms/s", 1, slowest_fps=round(min(rates), 2),
            age_p95_ms=round(percentile(ages, 0.95)), tiles_without_picture=notes, errors=len(errors),
        )  # fmt: skip
        report(f"wall of {tiles}, Chromium's memory (PSS)", memory_mb, None, "MB", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="heron-wall-") as directory:
        cameras = SimcamProcess(Path(directory), options.tiles, *PICTURES)
        try:
            with running_product(VMS_DEMO="0") as product:
                add_cameras(product, cameras, options.tiles)
                bench_wall(product, options.tiles, options.seconds)
        finally:
            cameras.stop()


if __name__ == "__main__":
    main()

"""Seeking in recorded footage: from the click on the timeline to the picture of that moment. JSON, an object a line.

Real parts: the whole product records its simulated cameras for some minutes, and goes on recording; Chromium clicks on
the timeline of a camera's own page. `python bench/seek.py [--seeks N] [--minutes M]`.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.browser import percentile, report, signed_in_page, until
from tests.product import Product, running_product, wait_for

LIMIT_MS = 300
VIDEO = "document.querySelector('heron-player > .picture > video')"
TIMELINE = "document.querySelector('heron-timeline')"
RECORDED_X = f"""() => {{
    const {{ scale, pieces }} = {TIMELINE};
    const from = Math.min(...pieces.flatMap((one) => one.recordings).map((one) => one.start), Date.now() - 10_000);
    return [Math.max(0, scale.xOf(from + 500)), Math.min(scale.widthPx, scale.xOf(Date.now() - 3000))];
}}"""
LOG_SEEKS = """() => {
    window.seeks = [];
    const timeline = document.querySelector("heron-timeline");
    timeline.zoom(360_000 / timeline.scale.lengthMs);
    addEventListener("pointerup", (event) => { window.clickedMs = event.timeStamp; }, true);
    timeline.addEventListener("heron-seek", (event) => { window.wantedMs = event.detail.ms; });
    new PerformanceObserver((list) => {
        for (const entry of list.getEntriesByName("heron:seek")) {
            window.seeks.push(entry.startTime + entry.duration - window.clickedMs);
        }
    }).observe({ type: "measure" });
}"""


def bench_seeks(page: Any, product: Product, seeks: int, chance: random.Random) -> None:
    """Clicks all over the recorded minutes, while it plays: most go where nothing has been read yet."""
    page.goto(f"/cameras/{product.cameras()[0]['id']}/")
    page.evaluate(LOG_SEEKS)
    until(page, f"{TIMELINE}.pieces.flatMap((one) => one.recordings).length")
    wrong_s = []
    for seek in range(seeks):
        first_x, last_x = page.evaluate(RECORDED_X)
        page.locator("heron-timeline").click(position={"x": chance.uniform(first_x, last_x), "y": 50})
        until(page, f"window.seeks.length > {seek}")
        wrong_s.append(abs(page.evaluate(f"{VIDEO}.currentTime - window.wantedMs / 1000")))
        time.sleep(chance.uniform(0.2, 0.6))  # a person looks at the picture
    took_ms, width_ms = page.evaluate(f"[window.seeks, {TIMELINE}.scale.lengthMs / {TIMELINE}.scale.widthPx]")
    report(
        "seek to picture p95", percentile(took_ms, 0.95), LIMIT_MS, "ms", len(took_ms),
        median=round(statistics.median(took_ms), 1), largest=round(max(took_ms), 1),
        off_s=round(percentile(wrong_s, 0.95), 2), over_s=round((last_x - first_x) * width_ms / 1000),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeks", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=3, help="of footage recorded before")
    options = parser.parse_args()
    with running_product() as product:
        wait_for(lambda: all(one["state"] == "recording" for one in product.cameras()), 60, "cameras record")
        time.sleep(options.minutes * 60)
        with signed_in_page(product) as page:
            bench_seeks(page, product, options.seeks, random.Random(5))


if __name__ == "__main__":
    main()

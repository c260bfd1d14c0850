"""The whole product and a real browser, for benchmarks of what a person sees. Used by `live` and `seek`.

A picture's age is told by the simulated camera's own clock: every frame carries its time of sending in an SEI message
(`recorder/simcam`). `sent_times` reads it from the footage; `LOG_PICTURES` has the page write down when it showed which
frame. Both are UTC of this machine.
"""

from __future__ import annotations

import json
import math
import sys
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from recorder.home import VmsHome  # noqa: E402
from tests.oracle.footage import read_footage  # noqa: E402
from tests.product import CHROMIUM, CHROMIUM_ARGUMENTS, OWNER, OWNER_PASSWORD, Product, wait_for  # noqa: E402

LOG_PICTURES = """(player) => {
    delete player.notePicture;
    const note = player.notePicture;
    player.pictureLog = [];
    player.notePicture = function (pts) {
        if (pts !== null) this.pictureLog.push([pts, (performance.timeOrigin + performance.now()) / 1000]);
        note.call(this, pts);
    };
}"""
SAME_FRAME_S = 0.002


def percentile(values: list[float], share: float) -> float:
    """Nearest rank: the least value that `share` of all don't exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]


def report(bench: str, ours: float, peer: float | None, unit: str, n: int, **more: object) -> None:
    """A line as contract.md has it; `peer` is the figure asked for."""
    ratio = round(ours / peer, 3) if peer else None
    line = {
        "bench": bench,
        "ours": round(ours, 2),
        "peer": peer,
        "ratio": ratio,
        "unit": unit,
        "n": n,
        **more,
    }
    print(json.dumps(line), flush=True)


@contextmanager
def signed_in_page(product: Product) -> Iterator[Any]:
    """A page of Chromium whose person has signed in through the form."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB", base_url=product.url)
        page.goto("/")
        page.get_by_label("User name").fill(OWNER)
        page.get_by_label("Password").fill(OWNER_PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("heron-wall")
        yield page
        browser.close()


def until(page: Any, expression: str, timeout_s: float = 20) -> Any:
    """The first true value of a JavaScript expression."""
    return wait_for(lambda: page.evaluate(expression), timeout_s, expression)


def sent_times(product: Product, camera: str, stream: str) -> dict[float, float]:
    """UTC of presentation in the archive to UTC of sending, both in seconds, of all footage of a stream."""
    folder = VmsHome(product.home).default_volume / camera / stream
    frames = [frame for path in sorted(folder.rglob("*.mp4*")) for frame in read_footage(path).frames]
    return {float(frame.pts_s): frame.utc_ns / 1e9 for frame in frames if frame.utc_ns is not None}


def ages_ms(pictures: list[tuple[float, float]], sent: dict[float, float]) -> list[float]:
    """Camera clock to picture of every `(presentation time, shown at)` whose frame is in the footage."""
    known = sorted(sent)
    ages = []
    for pts_s, shown_s in pictures:
        at = bisect_left(known, pts_s - SAME_FRAME_S)
        if at < len(known) and abs(known[at] - pts_s) < SAME_FRAME_S:
            ages.append((shown_s - sent[known[at]]) * 1000)
    return ages

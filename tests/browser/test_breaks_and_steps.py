"""Playback where the camera failed, faster than time, and frame by frame where the browser can't play the codec."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import sign_in, until
from tests.product import Product, running_product, wait_for
from tests.recorder.simcam.fixtures import SimcamProcess

pytestmark = [pytest.mark.browser, pytest.mark.slow]

VIDEO = "document.querySelector('heron-player > .picture > video')"
TIMELINE = "document.querySelector('heron-timeline')"
SMALL = ("--size", "640x360", "--sub-size", "320x180", "--gop-s", "1")


@dataclass
class Site:
    product: Product
    h264: str
    h265: str
    break_starts_s: float
    break_ends_s: float


def add_camera(product: Product, name: str, cameras: SimcamProcess) -> str:
    body = {"name": name, "main_url": cameras.url(1, "main"), "sub_url": cameras.url(1, "sub")}
    return product.request("POST", "/api/v1/cameras/", body)["id"]


def breaks_of(product: Product, camera: str, since: datetime) -> list[dict[str, Any]]:
    """Closed gaps of at least three seconds."""
    now = datetime.now(UTC)
    query = f"from={since.isoformat().replace('+00:00', 'Z')}&to={now.isoformat().replace('+00:00', 'Z')}"
    gaps = product.get(f"/api/v1/cameras/{camera}/timeline/?{query}")["gaps"]
    spans = [(datetime.fromisoformat(gap["start"]), datetime.fromisoformat(gap["end"]), gap) for gap in gaps]
    return [gap for start, end, gap in spans if timedelta(seconds=3) < end - start and now - end > timedelta(seconds=5)]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    """Half a minute of two cameras, one of which stopped sending for a while."""
    h264 = SimcamProcess(tmp_path_factory.mktemp("h264"), 1, *SMALL)
    h265 = SimcamProcess(tmp_path_factory.mktemp("h265"), 1, "--codec", "h265", *SMALL)
    try:
        with running_product(VMS_DEMO="0") as product:
            ids = [add_camera(product, "Gate", h264), add_camera(product, "Roof", h265)]
            wait_for(lambda: all(one["state"] == "recording" for one in product.cameras()), 30, "both record")
            sent = h264.frames()
            wait_for(lambda: h264.frames() > sent + 300, 30, "ten seconds of two streams")
            since = datetime.now(UTC) - timedelta(seconds=1)
            h264.inject(1, "stall@0s,5s")
            gap = wait_for(lambda: breaks_of(product, ids[0], since), 40, "the break is in the timeline")[0]
            starts, ends = (datetime.fromisoformat(gap[name]).timestamp() for name in ("start", "end"))
            yield Site(product, *ids, starts, ends)
    finally:
        h264.stop()
        h265.stop()


@pytest.fixture
def page(site, open_page):
    page = open_page(site.product)
    page.goto("/")
    sign_in(page)
    return page


def open_camera(page: Any, camera: str) -> None:
    page.goto(f"/cameras/{camera}/")
    page.locator("[data-zoom-to='60']").click()
    until(page, f"{TIMELINE}.pieces.flatMap(piece => piece.recordings).length")


def show(page: Any, at_s: float) -> float:
    """Centre the timeline on a moment; its x."""
    page.evaluate(f"(t => t.pan({at_s * 1000} - (t.scale.fromMs + t.scale.toMs) / 2))({TIMELINE})")
    return page.evaluate(f"{TIMELINE}.scale.xOf({at_s * 1000})")


def play_from(page: Any, at_s: float) -> None:
    page.locator("heron-timeline").click(position={"x": show(page, at_s), "y": 50})
    until(page, f"{VIDEO}?.readyState > 2 && !{VIDEO}.seeking && Math.abs({VIDEO}.currentTime - {at_s}) < 2")


def test_a_break_tells_its_cause_and_playback_jumps_it_with_a_note(page, site):
    open_camera(page, site.h264)
    middle_s = (site.break_starts_s + site.break_ends_s) / 2
    x = show(page, middle_s)
    gaps = f"{TIMELINE}.pieces.flatMap(piece => piece.gaps)"
    until(page, f"{gaps}.some(gap => gap.start < {middle_s * 1000} && gap.end > {middle_s * 1000})")
    page.locator("heron-timeline").hover(position={"x": x, "y": 50})
    until(
        page,
        "/stopped|stall|sent nothing|no picture/i.test(document.querySelector('.timeline-tip').textContent)",
    )
    play_from(page, site.break_starts_s - 2)
    until(page, f"{VIDEO}.currentTime > {site.break_ends_s} + 1", 12)
    assert "Jumped over" in page.locator("#flash").inner_text()


def test_four_to_sixteen_times_forward_keeps_its_speed(page, site):
    open_camera(page, site.h264)
    for speed in (4, 8, 16):
        begin_s = site.break_ends_s + 0.5
        wait_for(lambda begin_s=begin_s: time.time() > begin_s + 14, 30, "enough footage")
        page.get_by_label("Speed").select_option("1")
        play_from(page, begin_s)
        page.get_by_label("Speed").select_option(str(speed))
        started, at = time.monotonic(), page.evaluate(f"{VIDEO}.currentTime")
        until(page, f"{VIDEO}.currentTime > {at} + 8", 8)
        assert (took := time.monotonic() - started) < 8 / speed + 2.5, (speed, took)


def test_h265_is_stepped_frame_by_frame(page, site):
    open_camera(page, site.h265)
    play_from(page, time.time() - 8)
    page.keyboard.press(" ")
    until(page, f"{VIDEO}.paused && !{VIDEO}.seeking")
    seen = []
    for key in ["ArrowLeft"] * 3 + ["ArrowRight"] * 2:
        before = page.evaluate(f"{VIDEO}.currentTime")
        page.keyboard.press(key)
        until(page, f"Math.abs({VIDEO}.currentTime - {before}) > 0.01 && !{VIDEO}.seeking")
        seen.append(page.evaluate(f"{VIDEO}.currentTime"))
    steps = [after - before for before, after in pairwise(seen)]
    assert all(0.04 < abs(step) < 0.1 for step in steps), steps
    assert [step > 0 for step in steps] == [False, False, True, True]

"""The first minutes with the product, as README.md promises them: whole product, real browser, nothing prepared."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.browser.conftest import sign_in, until
from tests.product import OWNER_PASSWORD, ROOT, Product, running_product, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAYERS = "[...document.querySelectorAll('heron-player')]"
VIDEO = "document.querySelector('heron-player > .picture > video')"
SCREENSHOT = ROOT / "docs" / "guide" / "wall.png"
CHANGED_LEVELS = 24
"""By so much of 255 a pixel must change to count as moved; what decoding and scaling vary stays far below."""
MOVED_PIXELS = 60


def pixels_of(tile: Any) -> np.ndarray:
    """The middle of a tile as the screen shows it: no caption, no clock, no chip."""
    shot = cv2.imdecode(np.frombuffer(tile.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    height, width = shot.shape
    return shot[height * 15 // 100 : height * 88 // 100, width * 2 // 100 : width * 98 // 100].astype(np.int16)


def has_moved(before: np.ndarray, after: np.ndarray) -> bool:
    return before.shape == after.shape and int((abs(before - after) > CHANGED_LEVELS).sum()) > MOVED_PIXELS


def save_screenshot(page: Any, path: Path) -> None:
    """With a palette of its own the picture takes half the bytes and still looks the same."""
    graph = "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=floyd_steinberg"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "png_pipe", "-i", "-", "-vf", graph, str(path)]
    subprocess.run(command, input=page.screenshot(), check=True)


def test_within_a_minute_four_cameras_move_on_the_wall_and_ten_seconds_ago_plays(open_page):
    started = time.monotonic()
    with running_product() as product:
        page = open_page(product, color_scheme="dark")
        page.goto("/")
        sign_in(page)
        until(page, "document.querySelectorAll('#camera-tree [data-state=recording]').length === 4", 60)
        until(page, f"{PLAYERS}.length === 4 && {PLAYERS}.every(p => p.stats.pictures > 10)", 30)
        tiles = page.locator("heron-player").all()
        before = [pixels_of(tile) for tile in tiles]
        for tile, still in zip(tiles, before, strict=True):
            wait_for(lambda tile=tile, still=still: has_moved(still, pixels_of(tile)), 15, "the picture moves")
        assert time.monotonic() - started < 60
        watch_playback(page)
        if os.environ.get("HERON_SCREENSHOTS") == "1":
            page.goto("/")
            until(page, f"{PLAYERS}.length === 4 && {PLAYERS}.every(p => p.stats.pictures > 30)")
            save_screenshot(page, SCREENSHOT)


def watch_playback(page: Any) -> None:
    """From the wall to a camera, to ten seconds ago, through the speeds, and back to live."""
    page.get_by_role("link", name=re.compile("^Lobby")).first.click()
    page.wait_for_url("**/cameras/*/")
    until(page, f"{PLAYERS}[0].stats.pictures > 3")
    page.locator("[data-zoom-to='60']").click()
    timeline = "document.querySelector('heron-timeline')"
    recorded = f"{timeline}.pieces.flatMap(piece => piece.recordings)"
    until(page, f"{recorded}.some(span => Date.now() - span.start > 12000)", 30)
    x = page.evaluate(f"{timeline}.scale.xOf(Date.now() - 10000)")
    page.locator("heron-timeline").click(position={"x": x, "y": 50})
    at = until(page, f"{VIDEO} && {VIDEO}.readyState > 2 && !{VIDEO}.seeking && {VIDEO}.currentTime")
    assert 9 < time.time() - at < 12
    shown = pixels_of(page.locator("heron-player"))
    until(page, f"{VIDEO}.currentTime > {at} + 1.5")
    assert time.time() - page.evaluate(f"{VIDEO}.currentTime") > 8, "it plays at the speed of time"
    assert has_moved(shown, pixels_of(page.locator("heron-player")))
    for speed in ("0.5", "2"):
        page.get_by_label("Speed").select_option(speed)
        until(page, f"{VIDEO}.playbackRate === {speed} && !{VIDEO}.paused")
    page.get_by_role("button", name="Live").click()
    until(page, f"!{VIDEO} && {PLAYERS}[0].stats.latency_ms !== null && {PLAYERS}[0].stats.latency_ms < 2000")


def setup_link(product: Product) -> str:
    def find() -> str:
        told = re.search(r"/set-up/\S+/", (product.home / "up.log").read_text())
        return told.group() if told else ""

    return wait_for(find, 30, "`up` prints the owner's link")


def test_a_new_owner_sets_up_removes_the_demo_and_adds_a_camera(open_page, simcam):
    cameras = simcam(1, "--size", "640x360", "--sub-size", "320x180")
    with running_product(VMS_OWNER_USER="", VMS_OWNER_PASSWORD="") as product:
        page = open_page(product)
        link = setup_link(product)
        page.goto(link)
        page.get_by_label("Name of the site").fill("Harbour office")
        page.get_by_label("User name").fill("ada")
        page.get_by_label("Password", exact=True).fill(OWNER_PASSWORD)
        page.get_by_label("The password again").fill(OWNER_PASSWORD)
        page.get_by_role("button", name="Make the owner's account").click()
        page.wait_for_selector("heron-wall")
        until(page, f"{PLAYERS}.length === 4")

        page.get_by_role("button", name="Remove the demo cameras").click()
        until(page, f"document.readyState === 'complete' && {PLAYERS}.length === 0")

        page.goto("/set-up/cameras/add/")
        page.get_by_label("Address of the main stream").fill("rtsp://127.0.0.1:9/nothing")
        page.get_by_role("button", name="Look at the camera").click()
        refusal = page.locator("#probe-result [role=alert]")
        refusal.wait_for(timeout=15_000)
        assert re.search(r"127\.0\.0\.1:9.*\.$", refusal.inner_text())

        page.get_by_label("Address of the main stream").fill(cameras.url(1, "main"))
        page.get_by_label("Address of the sub stream").fill(cameras.url(1, "sub"))
        page.get_by_role("button", name="Look at the camera").click()
        page.locator(".found-stream").nth(1).wait_for(timeout=20_000)
        assert "640×360" in page.locator(".found-stream").first.inner_text()
        page.get_by_label("Name", exact=True).fill("Quay <1>")
        page.get_by_role("button", name="Add camera").click()
        page.wait_for_url("**/set-up/cameras/")
        page.goto("/")
        until(page, f"{PLAYERS}.length === 1 && {PLAYERS}[0].stats.pictures > 5", 20)
        until(page, "document.querySelectorAll('#camera-tree [data-state=recording]').length === 1", 20)

        stranger = open_page(product)
        stranger.goto(link)
        assert stranger.get_by_label("User name").count() == 0, "the link works once"

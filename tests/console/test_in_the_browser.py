"""The console as a person uses it: the whole product, simulated cameras, a real browser."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.product import OWNER, OWNER_PASSWORD, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLAYERS = "[...document.querySelectorAll('heron-player')]"
VIDEO = "document.querySelector('heron-player > .picture > video')"


@pytest.fixture(scope="module")
def signed_in(product, browser):
    """Cookies of a person who signed in by the page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(product.url + "/set-up/cameras/")
    page.get_by_label("User name").fill(OWNER)
    page.get_by_label("Password").fill(OWNER_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/set-up/cameras/")
    state = context.storage_state()
    context.close()
    wait_for(lambda: sum(camera["state"] == "recording" for camera in product.cameras()) >= 2, 60, "cameras record")
    return state


@pytest.fixture
def page(product, browser, signed_in):
    """A page that fails the test on any script error or blocked content."""
    context = browser.new_context(
        storage_state=signed_in, viewport={"width": 1440, "height": 900}, base_url=product.url, locale="en-GB"
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    context.close()
    assert errors == []


def until(page, expression: str, timeout_s: float = 15):
    """The first true value of a JavaScript expression (Playwright's own waiting needs eval, which the CSP forbids)."""
    return wait_for(lambda: page.evaluate(expression), timeout_s, expression)


def open_recording_camera(page) -> None:
    page.goto("/")
    page.goto(page.locator("[data-camera][data-state=recording]").first.get_attribute("href"))


def test_the_wall_shows_moving_pictures_of_every_recording_camera(page):
    page.goto("/")
    count = until(page, "document.querySelectorAll('#camera-tree [data-state=recording]').length")
    until(page, f"{PLAYERS}.filter(p => p.stats.pictures > 10).length >= {count}")
    before = page.evaluate(f"{PLAYERS}.map(p => p.stats.picture_at_s || 0)")
    moves = f"(p, n) => {before}[n] && p.stats.picture_at_s > {before}[n] + 0.5"
    until(page, f"{PLAYERS}.filter({moves}).length >= {count}")
    assert page.evaluate(f"{PLAYERS}.filter(p => p.stats.pictures).every(p => p.stats.stream === 'sub')")
    assert page.evaluate(f"{PLAYERS}.filter(p => p.stats.pictures).every(p => !p.querySelector('.note:not([hidden])'))")


@pytest.mark.parametrize("rung", ["webcodecs", "mse", "mjpeg"])
def test_every_rung_of_the_ladder_shows_live_pictures(page, rung):
    open_recording_camera(page)
    page.evaluate(
        f"(() => {{ const p = document.querySelector('heron-player'); p.setAttribute('rung', '{rung}');"
        " p.stop(); p.judgeVisibility(); })()"
    )
    until(page, f"{PLAYERS}[0].stats.rung === '{rung}' && {PLAYERS}[0].stats.pictures > 8")
    if rung != "mjpeg":
        assert until(page, f"{PLAYERS}[0].stats.latency_ms") < 3000


def test_a_tile_is_enlarged_in_place_with_the_main_stream_and_goes_back(page):
    page.goto("/")
    until(page, f"{PLAYERS}.some(p => p.stats.pictures > 3)")
    page.locator("heron-player").first.dblclick()
    until(page, "document.querySelector('heron-player.large')?.stats.stream === 'main'")
    page.keyboard.press("Escape")
    until(page, "!document.querySelector('heron-player.large')")
    until(page, f"{PLAYERS}.every(p => p.stream === 'sub')")


def test_a_click_on_the_timeline_plays_ten_seconds_ago_and_l_goes_back_to_live(page):
    open_recording_camera(page)
    until(page, f"{PLAYERS}[0].stats.pictures > 3")
    page.locator("[data-zoom-to='60']").click()
    timeline = page.locator("heron-timeline")
    recordings = "document.querySelector('heron-timeline').pieces.flatMap(p => p.recordings)"
    until(page, f"{recordings}.some(r => Date.now() - r.start > 14000)", 30)
    x = page.evaluate("document.querySelector('heron-timeline').scale.xOf(Date.now() - 10000)")
    timeline.click(position={"x": x, "y": 50})
    at = until(page, f"{VIDEO} && {VIDEO}.readyState > 2 && !{VIDEO}.seeking && {VIDEO}.currentTime")
    assert 7 < time.time() - at < 16
    until(page, f"{VIDEO}.currentTime > {at} + 1")
    page.keyboard.press("l")
    until(page, f"!{VIDEO} && {PLAYERS}[0].stats.pictures > 3")


def test_frames_are_stepped_one_by_one_both_ways(page):
    open_recording_camera(page)
    until(page, f"{PLAYERS}[0].stats.pictures > 20")
    page.keyboard.press(" ")
    until(page, f"{VIDEO}?.paused && {VIDEO}.readyState > 1 && !{VIDEO}.seeking")
    seen = []
    for key in ["ArrowLeft"] * 3 + ["ArrowRight"] * 2:
        before = page.evaluate(f"{VIDEO}.currentTime")
        page.keyboard.press(key)
        until(page, f"Math.abs({VIDEO}.currentTime - {before}) > 0.01 && !{VIDEO}.seeking")
        seen.append(page.evaluate(f"{VIDEO}.currentTime"))
    steps = [after - before for before, after in pairwise(seen)]
    assert all(0.02 < abs(step) < 0.2 for step in steps), steps
    assert [step > 0 for step in steps] == [False, False, True, True]


def test_a_camera_is_looked_at_then_added_and_deleted(page, product):
    page.goto("/set-up/cameras/add/")
    page.get_by_label("Address of the main stream").fill("rtsp://127.0.0.1:9/nothing")
    page.get_by_role("button", name="Look at the camera").click()
    refusal = page.locator("#probe-result [role=alert]")
    refusal.wait_for(timeout=15_000)
    assert "127.0.0.1:9" in refusal.inner_text()
    address = next(camera["main_url"] for camera in product.cameras() if camera["state"] == "recording")
    page.get_by_label("Address of the main stream").fill(address)
    page.get_by_role("button", name="Look at the camera").click()
    page.locator(".found-stream").first.wait_for(timeout=25_000)
    assert "H.264" in page.locator(".found-stream").first.inner_text()
    page.get_by_label("Name", exact=True).fill("Added by hand")
    page.get_by_role("button", name="Add camera").click()
    page.wait_for_url("**/set-up/cameras/")
    page.get_by_role("link", name="Added by hand").click()
    page.get_by_role("button", name="Delete").click()
    page.locator("#confirm-yes").click()
    page.wait_for_url("**/set-up/cameras/")
    assert page.get_by_role("link", name="Added by hand").count() == 0


def test_a_renamed_camera_changes_its_name_on_an_open_wall(page, product):
    page.goto("/")
    camera = product.cameras()[0]
    path = f"/api/v1/cameras/{camera['id']}/"
    until(page, "document.documentElement.dataset.events === 'open'")
    product.request("PATCH", path, {"name": "Renamed"})
    try:
        until(page, f"{PLAYERS}.some(p => p.getAttribute('name') === 'Renamed')", 6)
        assert page.locator("#camera-tree [data-name=Renamed]").count() == 1
    finally:
        product.request("PATCH", path, {"name": camera["name"]})


def test_the_pages_fit_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    open_recording_camera(page)
    for path in [page.url, "/", "/set-up/cameras/", "/set-up/cameras/add/", "/set-up/servers/"]:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_keys_help_and_search_work_without_a_mouse(page):
    page.goto("/")
    page.keyboard.press("?")
    assert page.locator("#keys-help").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("no camera has this name")
    assert page.locator("#nothing-found").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#nothing-found").is_visible()

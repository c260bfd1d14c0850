"""Chromium plays a clip from its address and seeks in it."""

import shutil

import pytest

from recorder.archive.clip import build_clip
from tests.recorder.archive.playing import serve
from tests.recorder.archive.recorded import CAMERA, START_MS

PAGE = b"""<!doctype html><video id=v src="/clip.mp4" muted preload=auto></video>"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SEEK = """at => new Promise((resolve, reject) => {
  const v = document.getElementById('v');
  const seek = () => { v.onseeked = () => resolve([v.currentTime, v.duration, v.videoWidth]); v.currentTime = at; };
  v.onerror = () => reject(v.error.message);
  if (v.error) reject(v.error.message); else if (v.readyState >= 1) seek(); else v.onloadedmetadata = seek;
})"""


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize(("b_frames", "audio"), [(0, None), (2, "aac")])
def test_chromium_seeks_in_a_clip_over_a_hole(archive, catalog, b_frames, audio):
    from playwright.sync_api import sync_playwright

    archive.record(b_frames=b_frames, audio=audio)
    archive.record(START_MS + 60_000, b_frames=b_frames, audio=audio)
    clip = build_clip(catalog, CAMERA, "main", START_MS + 1500, START_MS + 70_000)
    with (
        serve({"/page.html": PAGE, "/clip.mp4": clip.body}) as url,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{url}/page.html")
        for at in (0.5, 9.25, 4.1, 10.8):
            now, duration, width = page.evaluate(SEEK, at)
            assert now == pytest.approx(at, abs=0.01)
            assert duration == pytest.approx(11, abs=0.1)
            assert width == 160
        page.evaluate("document.getElementById('v').play()")
        page.wait_for_function("document.getElementById('v').ended")

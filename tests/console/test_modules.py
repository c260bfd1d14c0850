"""The console's JavaScript modules, each on its own in a real browser: no server but one for files."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "vms" / "console" / "static"
pytestmark = pytest.mark.browser


class _Files(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, directory=str(STATIC), **kwargs)

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>modules</title><body>")
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def in_browser(browser, files):
    """Calls a function with the exports of a module: `run("times.js", "({formatDuration}) => formatDuration(5)")`."""
    contexts = []

    def run(module: str, function: str, argument=None, zone: str = "Europe/Berlin"):
        context = browser.new_context(timezone_id=zone, locale="en-GB")
        contexts.append(context)
        page = context.new_page()
        page.goto(files + "/")
        return page.evaluate(
            f"async (argument) => ({function})(await import('/console/js/{module}'), argument)", argument
        )

    yield run
    for context in contexts:
        context.close()


def test_durations_are_told_in_two_units(in_browser):
    told = in_browser("times.js", "({formatDuration}) => [0, 8000, 134000, 11100000, 180000000].map(formatDuration)")
    assert told == ["0 s", "8 s", "2 min 14 s", "3 h 5 min", "2 d 2 h"]


def test_ticks_stay_on_local_hours_when_an_hour_is_missing(in_browser):
    """Clocks go forward on 2026-03-29 at 02:00 in Berlin: 23 hours, no label twice, none wrong."""
    labels = in_browser(
        "timeline/scale.js",
        """({ticksBetween, labelTick}) => {
          const from = Date.UTC(2026, 2, 28, 23), to = Date.UTC(2026, 2, 29, 22) - 1;
          return ticksBetween(from, to, {stepMs: 3600000, unit: "h"}).map((ms) => labelTick(ms, "h").text); }""",
    )
    assert len(labels) == 23
    assert labels[:4] == ["Sun 29 Mar", "01:00", "03:00", "04:00"]


def test_ticks_stay_on_local_hours_when_an_hour_comes_twice(in_browser):
    ticks = in_browser(
        "timeline/scale.js",
        """({ticksBetween, labelTick}) => {
          const from = Date.UTC(2026, 9, 24, 22), to = Date.UTC(2026, 9, 25, 5);
          return ticksBetween(from, to, {stepMs: 10800000, unit: "h"}).map((ms) => [ms, labelTick(ms, "h").text]); }""",
    )
    assert [label for _, label in ticks] == ["Sun 25 Oct", "03:00", "06:00"]
    assert ticks[1][0] - ticks[0][0] == 4 * 3_600_000


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Auckland"])
def test_every_zoom_has_ticks_that_rise_and_are_not_too_many(in_browser, zone):
    counts = in_browser(
        "timeline/scale.js",
        """({chooseStep, ticksBetween, SHORTEST_MS, LONGEST_MS}) => {
          const out = [], start = Date.UTC(2026, 4, 17, 13, 37, 11, 123);
          for (let length = SHORTEST_MS; length <= LONGEST_MS; length *= 1.9) {
            const ticks = ticksBetween(start, start + length, chooseStep(length, 1100));
            if (ticks.some((tick, n) => n && tick <= ticks[n - 1])) throw new Error(`falls at ${length}`);
            out.push(ticks.length);
          }
          return out; }""",
        zone=zone,
    )
    assert all(1 <= count <= 16 for count in counts), counts


def test_zoom_keeps_the_moment_under_the_pointer(in_browser):
    wrong_ms = in_browser(
        "timeline/scale.js",
        """({Scale}) => { const scale = new Scale(0, 3600000); scale.widthPx = 1000; const at = scale.msAt(250);
          scale.zoom(0.1, at); return Math.abs(scale.xOf(at) - 250); }""",
    )
    assert wrong_ms < 1e-6


@pytest.mark.parametrize(
    ("count", "width", "height", "grid"),
    [(1, 1150, 820, [1, 1]), (4, 1150, 820, [2, 2]), (2, 390, 700, [1, 2]), (9, 1600, 900, [3, 3]),
     (64, 1920, 1080, [8, 8])],
)  # fmt: skip
def test_the_grid_shows_the_pictures_as_large_as_fits(in_browser, count, width, height, grid):
    found = in_browser(
        "wall_grid.js", "({fitGrid}, a) => { const g = fitGrid(...a); return [g.columns, g.rows]; }",
        [count, width, height],
    )  # fmt: skip
    assert found == grid


def test_a_tile_without_picture_says_since_when_why_and_what_next(in_browser):
    words = in_browser(
        "player/picture_note.js",
        """({describeNoPicture}) => describeNoPicture({
          nowMs: 1e12, startedMs: 1e12 - 9000, lastPictureMs: 0, trouble: null, camera: {
            state: "unreachable", detail: "It does not answer.", sinceMs: 1e12 - 134000, retryAtMs: 1e12 + 8000}})""",
    )
    assert words["title"] == "No picture for 2 min 14 s"
    assert (words["why"], words["next"]) == ("It does not answer.", "Trying again in 8 s.")


def test_a_tile_with_a_picture_says_nothing_even_if_the_camera_state_is_old(in_browser):
    words = in_browser(
        "player/picture_note.js",
        """({describeNoPicture}) => describeNoPicture({
          nowMs: 1e12, startedMs: 0, lastPictureMs: 1e12 - 200, trouble: null,
          camera: {state: "connecting", detail: "", sinceMs: 0, retryAtMs: 0}})""",
    )
    assert words is None


def test_an_address_with_a_password_is_taken_apart(in_browser):
    parts = in_browser("camera_form.js", "({splitAddress}) => splitAddress(' rtsp://joe:a%40b:c@10.0.0.5:554/x?y=1 ')")
    assert parts == {"url": "rtsp://10.0.0.5:554/x?y=1", "username": "joe", "password": "a@b:c"}
    assert in_browser("camera_form.js", "({splitAddress}) => splitAddress('rtsp://10.0.0.5/x@y')")["username"] == ""


def test_frames_are_stepped_exactly_and_only_where_known(in_browser):
    steps = in_browser(
        "player/frames.js",
        """({FrameTimes}) => { const f = new FrameTimes(); for (const t of [10, 10.2, 10.1, 10.3, 10.1]) f.add(t);
          return [f.times.length, f.step(10.1004, 1), f.step(10.1004, -1), f.step(10.3, 1), f.step(9, 1),
            f.step(11, -1)]; }""",
    )
    assert steps == [4, 10.2, 10, None, None, None]


def test_the_servers_clock_is_believed_only_when_proven(in_browser):
    offsets = in_browser(
        "clock.js",
        """({noteServerTime, noteServerDate, nowMs}) => { const out = []; const off = () => nowMs() - Date.now();
          const now = Date.now();
          noteServerDate(new Date(now - 900).toUTCString(), now - 20, now); out.push(off());
          noteServerTime(now + 60000, now - 40, now); out.push(off());
          return out.map((ms) => Math.round(ms / 100) * 100); }""",
    )
    assert offsets == [0, 60000]


def test_pictures_are_cut_from_a_multipart_answer_whatever_its_pieces(in_browser):
    sizes = in_browser(
        "player/rung_mjpeg.js",
        """({PictureCutter}) => { const part = (n) => { const head = new TextEncoder().encode(
            `--heron\\r\\nContent-Type: image/jpeg\\r\\nContent-Length: ${n}\\r\\n\\r\\n`);
            const out = new Uint8Array(head.length + n + 2); out.set(head); out.fill(7, head.length, head.length + n);
            out.set([13, 10], head.length + n); return out; };
          const all = new Uint8Array([...part(10), ...part(3000), ...part(1)]);
          const cutter = new PictureCutter(), sizes = [];
          for (let at = 0; at < all.length; at += 7) {
            sizes.push(...cutter.feed(all.subarray(at, at + 7)).map((p) => p.length)); }
          return sizes; }""",
    )
    assert sizes == [10, 3000, 1]


def test_a_box_that_claims_too_much_is_refused(in_browser):
    told = in_browser(
        "player/mp4.js",
        """({Mp4Stream, parseFragment, parseInit}) => { const out = [];
          for (const act of [() => new Mp4Stream().feed(new Uint8Array([0, 0, 0, 4, 109, 111, 111, 102])),
                             () => parseFragment(new Uint8Array([0, 0, 1, 0, 109, 111, 111, 102]), {}),
                             () => parseInit(new Uint8Array([0, 0, 0, 9, 109, 111, 111, 118]))]) {
            try { act(); out.push("taken"); } catch (error) { out.push(error.name); } }
          return out; }""",
    )
    assert told == ["RangeError"] * 3

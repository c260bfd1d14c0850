"""What the media service gives plays in Chromium, H.265 and G.711 included once they are converted."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .footage import LiveCamera, encode, write_recording

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--no-first-run",
]
START = 1_790_000_000_000

PLAY_SPAN = """async (url) => {
  const answer = await fetch(url), mime = answer.headers.get("X-Heron-Mime");
  const video = document.createElement("video"), media = new MediaSource();
  video.muted = true; video.src = URL.createObjectURL(media); document.body.append(video);
  await new Promise((done) => { media.onsourceopen = done; });
  const buffer = media.addSourceBuffer(mime);
  buffer.appendBuffer(await answer.arrayBuffer());
  await new Promise((done) => { buffer.onupdateend = done; });
  const start = video.buffered.start(0), end = video.buffered.end(video.buffered.length - 1);
  video.currentTime = start + 1;
  await video.play();
  await new Promise((done) => video.requestVideoFrameCallback(() => video.requestVideoFrameCallback(done)));
  return { mime, start, end, ranges: video.buffered.length, now: video.currentTime, error: video.error?.message };
}"""

PLAY_LIVE = """async (url) => {
  const socket = new WebSocket(url); socket.binaryType = "arraybuffer";
  const video = document.createElement("video"), media = new MediaSource(), queue = [];
  video.muted = true; video.src = URL.createObjectURL(media); document.body.append(video);
  await new Promise((done) => { media.onsourceopen = done; });
  let buffer, mime;
  const flush = () => { if (buffer && !buffer.updating && queue.length) buffer.appendBuffer(queue.shift()); };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") {
      mime = JSON.parse(data).mime; buffer = media.addSourceBuffer(mime); buffer.onupdateend = flush;
    } else { queue.push(data); flush(); }
  };
  while (!video.buffered.length || video.buffered.end(0) - video.buffered.start(0) < 2) await new Promise((d) => setTimeout(d, 50));
  video.currentTime = video.buffered.end(0) - 0.2;
  await video.play();
  await new Promise((done) => video.requestVideoFrameCallback(() => video.requestVideoFrameCallback(done)));
  return { mime, behind: Date.now() / 1000 - video.currentTime, ranges: video.buffered.length, error: video.error?.message };
}"""  # noqa: E501


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


class Pages(SimpleHTTPRequestHandler):
    def do_GET(self):
        content = b"<!doctype html><body></body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def page(browser):
    """On the media service's host and another port, as the product's pages are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    page.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("codec", "audio"), [("h264", "aac"), ("h265", "g711")])
def test_recorded_span_plays_in_absolute_time(media, page, codec, audio):
    write_recording(media.volume, media.camera, "main", START, 10, encoded=encode(codec), audio=audio)
    url = media.url(f"span?from={START}&to={START + 9000}&transcode=1&audio={int(audio == 'g711')}")
    shown = page.evaluate(PLAY_SPAN, url)
    assert "avc1" in shown["mime"]
    assert shown["error"] is None
    assert shown["ranges"] == 1
    assert abs(shown["start"] - START / 1000) < 0.3
    assert abs(shown["end"] - START / 1000 - 9) < 0.3
    assert shown["now"] > START / 1000 + 1


def test_live_h265_plays_after_conversion(media, page):
    with LiveCamera(media.volume, media.home.live, media.camera, encoded=encode("h265")):
        shown = page.evaluate(PLAY_LIVE, media.live_url("?transcode=1"))
    assert "avc1" in shown["mime"]
    assert (shown["ranges"], shown["error"]) == (1, None)
    assert shown["behind"] < 1


def test_clip_plays_as_a_file(media, page):
    write_recording(media.volume, media.camera, "main", START, 10)
    url = media.url(f"clip.mp4?from={START}&to={START + 9000}&inline=1")
    duration = page.evaluate(
        """async (url) => {
          const video = document.createElement("video"); video.muted = true; video.src = url;
          document.body.append(video);
          try { await video.play(); } catch (error) { return String(video.error?.message ?? error); }
          return video.duration;
        }""",
        url,
    )
    assert abs(duration - 9) < 0.1

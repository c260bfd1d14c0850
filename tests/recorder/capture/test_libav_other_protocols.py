"""MJPEG over HTTP, RTMP and SRT: what cameras speak besides RTSP, each from a real sender."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from recorder.capture.libav_source import LibavSource
from recorder.capture.srt_input import quoted, srt_url
from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy

POLICY = AddressPolicy.from_strings(["127.0.0.0/8"])
PICTURE = cv2.imencode(".jpg", np.full((96, 160, 3), 90, np.uint8))[1].tobytes()
FFMPEG = shutil.which("ffmpeg")
SENT = ("-f", "lavfi", "-i", "testsrc=s=160x96:r=15", "-f", "lavfi", "-i", "sine", "-pix_fmt", "yuv420p",
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-c:a", "aac")  # fmt: skip
PASSPHRASE = "a canary in a mine"

pytestmark = pytest.mark.slow
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")


class Sink:
    def __init__(self) -> None:
        self.video = self.audio = None
        self.frames = self.units = 0
        self.has_enough = asyncio.Event()

    def on_parameters(self, video, audio) -> None:
        self.video, self.audio = video, audio

    def on_video(self, sample, timestamp, is_keyframe, arrived_ns) -> None:
        self.frames += 1
        if self.frames >= 20:
            self.has_enough.set()

    def on_audio(self, *sample) -> None:
        self.units += 1


async def receive(url: str, username: str = "", password: str = "", on_the_way=lambda: None) -> Sink:
    """Until twenty frames came, or with the source's error."""
    sink = Sink()
    running = asyncio.create_task(LibavSource(url, username, password, POLICY, sink).run())
    enough = asyncio.create_task(sink.has_enough.wait())
    done, _ = await asyncio.wait({running, enough}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    on_the_way()
    enough.cancel()
    if running in done:
        await running
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert done, "neither frames nor an error within 20 s"
    return sink


@pytest.fixture
def mjpeg_camera() -> Iterator[str]:
    wanted = "Basic " + base64.b64encode(f"viewer:{PASSPHRASE}".encode()).decode()
    stopped = threading.Event()

    class Camera(BaseHTTPRequestHandler):
        def log_message(self, *arguments) -> None: ...

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=part")
            self.end_headers()
            head = b"--part\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
            try:
                while not stopped.wait(0.05):
                    self.wfile.write(head + PICTURE + b"\r\n")
            except OSError:
                pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}/video.mjpg"
    stopped.set()
    server.shutdown()
    server.server_close()
    serving.join()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def sender(*output: str) -> Iterator[None]:
    process = subprocess.Popen([FFMPEG, "-loglevel", "quiet", "-re", *SENT, *output], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_mjpeg_pictures_come_as_they_are(mjpeg_camera):
    sink = await receive(mjpeg_camera, "viewer", PASSPHRASE)
    assert (sink.video.codec, sink.video.width_px, sink.video.height_px) == ("mjpeg", 160, 96)


async def test_a_wrong_password_over_http_says_so(mjpeg_camera):
    with pytest.raises(CameraError) as refused:
        await receive(mjpeg_camera, "viewer", "something else")
    assert refused.value.code == ErrorCode.UNAUTHORIZED and "something else" not in str(refused.value)


async def until_it_answers(url: str, password: str = "", on_the_way=lambda: None) -> Sink:
    """A sender that has only just been started may not listen yet."""
    for _ in range(10):
        try:
            return await receive(url, "", password, on_the_way)
        except CameraError as err:
            assert err.code in (ErrorCode.REFUSED, ErrorCode.UNREACHABLE), err
    raise AssertionError("the sender never answered")


@needs_ffmpeg
async def test_rtmp_is_received_with_sound():
    url = f"rtmp://127.0.0.1:{free_port(socket.SOCK_STREAM)}/live/gate"
    with sender("-f", "flv", "-listen", "1", url):
        sink = await until_it_answers(url)
    assert (sink.video.codec, sink.audio.codec) == ("h264", "aac") and sink.units


@needs_ffmpeg
async def test_srt_is_received_and_its_passphrase_is_in_no_argument_list():
    port = free_port(socket.SOCK_DGRAM)
    seen: list[bytes] = []

    def look() -> None:
        mine = (b"-protocol_whitelist\0srt", f"srt://127.0.0.1:{port}\0".encode())
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            if mine[0] in line:
                seen.append(line)

    with sender("-f", "mpegts", f"srt://127.0.0.1:{port}?mode=listener&passphrase={PASSPHRASE.replace(' ', '%20')}"):
        sink = await until_it_answers(f"srt://127.0.0.1:{port}", PASSPHRASE, look)
    assert sink.video.codec == "h264" and sink.frames >= 20
    assert seen and not any(b"canary" in line for line in seen)


@needs_ffmpeg
async def test_an_srt_address_where_nobody_answers_says_so():
    with pytest.raises(CameraError) as silent:
        await receive(f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
    assert silent.value.code == ErrorCode.UNREACHABLE


def test_an_srt_address_can_not_leave_its_quotes():
    request = {"ip": "10.0.0.9", "port": 9000, "path": "/?streamid=it's&mode=listener", "password": "p'\n&x"}
    assert srt_url(request) == "srt://10.0.0.9:9000?mode=caller&streamid=it's&passphrase=p%27%0A%26x"
    assert quoted("it's") == "it'\\''s"

"""A camera's password is in no log, no answer, no command line or environment, and nowhere in clear but in the one
file that capture reads (mode 0600)."""

from __future__ import annotations

import base64
import json
import socket
import threading
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from tests.product import free_port, wait_for
from tests.recorder.simcam.fixtures import SimcamProcess

from .plant import SMALL, Plant, add_camera, camera_state, processes_of, remove_camera, wait_recording

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
USER, CANARY = "canary-user", "Canary/pass word@99%"
TRACES = {
    "clear": CANARY.encode(),
    "in JSON": json.dumps(CANARY)[1:-1].encode(),
    "in a URL": quote(CANARY, safe="").encode(),
    "in a path": quote(CANARY).encode(),
    "Basic": base64.b64encode(f"{USER}:{CANARY}".encode()),
    "Base64": base64.b64encode(CANARY.encode()),
    "hexadecimal": CANARY.encode().hex().encode(),
}


def traces_in(content: bytes) -> list[str]:
    return [kind for kind, trace in TRACES.items() if trace in content]


class JpegCamera(BaseHTTPRequestHandler):
    """HTTP MJPEG behind Basic authentication."""

    def log_message(self, *arguments: object) -> None: ...

    def do_GET(self) -> None:
        if self.headers["Authorization"] != f"Basic {TRACES['Basic'].decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        pause = threading.Event()
        number = 0
        try:
            while not pause.wait(0.1):
                number += 1
                image = cv2.imencode(".jpg", np.full((120, 160, 3), number % 255, np.uint8))[1].tobytes()
                self.wfile.write(
                    b"--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(image), image)
                )
        except OSError:
            return


@pytest.fixture
def jpeg_camera() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), JpegCamera)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/video.mjpg"
    server.shutdown()
    thread.join()
    server.server_close()


class RedisMonitor(threading.Thread):
    """Everything that is said to Redis while it runs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.sendall(b"MONITOR\r\n")
        self.heard = bytearray()

    def run(self) -> None:
        while content := self._socket.recv(65536):
            self.heard += content

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self._socket.close()


def test_password_of_a_camera_leaves_no_trace(plant: Plant, tmp_path: Path, jpeg_camera: str) -> None:
    product = plant.product
    (tmp_path / "password").write_text(CANARY + "\n")
    simulator = SimcamProcess(
        tmp_path, 1, *SMALL, "--user", USER, "--password-file", str(tmp_path / "password"), "--auth", "basic"
    )
    monitor = RedisMonitor(product.home / "run/redis.sock")
    monitor.start()
    answers: list[bytes] = []

    def ask(method: str, path: str, body: object = None) -> bytes:
        try:
            answers.append(product.request(method, path, body, raw=True))
        except urllib.error.HTTPError as err:
            answers.append(err.read() + str(err.headers).encode())
        return answers[-1]

    login = {"username": USER, "password": CANARY}
    nobody = f"rtsp://127.0.0.1:{free_port()}/x"
    added: list[str] = []
    try:
        for url in (
            simulator.url(),
            simulator.url(9),
            jpeg_camera,
            nobody,
            f"rtsp://{USER}:{quote(CANARY, safe='')}@127.0.0.1/x",
        ):
            ask("POST", "/api/v1/cameras/probe/", {"url": url, **login})
        good = json.loads(ask("POST", "/api/v1/cameras/", {"name": "By RTSP", "main_url": simulator.url(), **login}))[
            "id"
        ]
        jpeg = json.loads(ask("POST", "/api/v1/cameras/", {"name": "By HTTP", "main_url": jpeg_camera, **login}))["id"]
        added += [good, jpeg]
        added.append(add_camera(product, "No path", simulator.url(9), **login))
        added.append(add_camera(product, "Refused", nobody, **login))
        rtmp = add_camera(product, "Refused over RTMP", nobody.replace("rtsp", "rtmp"), **login)
        added.append(rtmp)
        wait_recording(product, good, jpeg)
        wait_for(lambda: camera_state(product, rtmp) not in ("connecting", "unknown"), 15, "RTMP is refused")
        ask("PATCH", f"/api/v1/cameras/{good}/", {"username": USER, "password": CANARY})
        ask("PATCH", f"/api/v1/cameras/{good}/", {"password": CANARY * 20})
        ask("PATCH", f"/api/v1/cameras/{good}/", {"name": "", "password": CANARY})
        ask("POST", f"/api/v1/cameras/{good}/restart/")
        children = processes_of(product, "libav_child")
        assert children, "the child that reads HTTP runs"
        wait_recording(product, good, jpeg)
        for path in (
            *(f"/api/v1/cameras/{camera}/" for camera in added), f"/api/v1/cameras/{good}/live/",
            "/api/v1/cameras/?page_size=500", "/api/v1/audit/", "/api/v1/events/", "/api/v1/servers/",
            "/api/v1/volumes/", "/metrics", "/readyz",
        ):  # fmt: skip
            ask("GET", path)
        told = product.command("celery", "-A", "vms", "inspect", "recorder")
        assert not traces_in(told.encode())
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    content = (process / name).read_bytes()
                except OSError:
                    continue
                assert not traces_in(content), f"{name} of {content[:60]!r}"
        check_files(product.home, simulator)
    finally:
        for camera in added:
            remove_camera(product, camera)
        simulator.stop()
        monitor.stop()
    assert len(monitor.heard) > 1000
    assert not traces_in(bytes(monitor.heard))
    for answer in answers:
        assert not traces_in(answer), answer[:300]
    # A deleted camera's password is gone from where capture reads it, too.
    wait_for(
        lambda: not traces_in((product.home / "recorder/desired.json").read_bytes()), 5, "capture has forgotten it"
    )


def check_files(home: Path, simulator: SimcamProcess) -> None:
    allowed = home / "recorder/desired.json"
    assert traces_in(allowed.read_bytes())
    assert allowed.stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o077 == 0
    for path in home.rglob("*"):
        if path.is_file() and path != allowed and not path.is_relative_to(home / "volumes"):
            assert not traces_in(path.read_bytes()), path
    assert not traces_in(simulator.log().encode())

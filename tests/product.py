"""The whole product as `./run` starts it, on ports of its own, and a real browser to use it with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
OWNER = "owner"
OWNER_PASSWORD = "heron stands still and watches"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], Any], timeout_s: float = 20.0, what: str = "condition") -> Any:
    """The first true answer of `condition`; fails the test when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)


@dataclass
class Product:
    """A running installation and a client of its API."""

    home: Path
    port: int
    media_port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        bind = self.environment.get("VMS_BIND", "127.0.0.1")
        return f"{'http' if bind == '127.0.0.1' else 'https'}://{bind}:{self.port}"

    def request(self, method: str, path: str, body: Any = None, *, raw: bool = False) -> Any:
        """JSON of the answer, or its bytes. Raises `urllib.error.HTTPError`."""
        request = urllib.request.Request(
            path if path.startswith("http") else self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **self.headers},
        )
        certificate = self.home / "secrets" / "certificate.pem"
        trust = ssl.create_default_context(cafile=certificate) if certificate.exists() else None
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            content = answer.read()
        return content if raw or not content else json.loads(content)

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def sign_in(self) -> None:
        answer = self.request("POST", "/api/v1/auth/token/", {"username": OWNER, "password": OWNER_PASSWORD})
        self.token = answer["token"]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def cameras(self) -> list[dict[str, Any]]:
        return self.get("/api/v1/cameras/?page_size=500")["results"]

    def command(self, *arguments: str, timeout_s: float = 60) -> str:
        """Output of `manage.py` or, beginning with `celery`, of the operations CLI."""
        argv = ["-m", *arguments] if arguments[0] == "celery" else ["manage.py", *arguments]
        done = subprocess.run(
            [sys.executable, *argv], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self, timeout_s: float = 15) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)


@contextmanager
def running_product(home: Path | None = None, **settings: str) -> Iterator[Product]:
    """Start `manage.py up` and wait until it answers; everything has ended on leaving."""
    home = home or Path(tempfile.mkdtemp(prefix="heron-product-"))
    home.mkdir(exist_ok=True)
    port, media_port, simcam_port = free_port(), free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("VMS_", "HERON_", "DJANGO_"))},
        "VMS_HOME": str(home), "VMS_PORT": str(port), "VMS_MEDIA_PORT": str(media_port),
        "VMS_SIMCAM_PORT": str(simcam_port), "VMS_OWNER_USER": OWNER, "VMS_OWNER_PASSWORD": OWNER_PASSWORD,
        "VMS_CAMERA_NETWORKS": "127.0.0.0/8", "VMS_BUFFER_DIR": str(home / "run" / "buffer"), **settings,
    }  # fmt: skip
    log = (home / "up.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    product = Product(home, port, media_port, process, environment)

    def answers() -> bool:
        assert process.poll() is None, (home / "up.log").read_text()
        try:
            product.request("GET", "/healthz", raw=True)
        except OSError:
            return False
        return True

    try:
        wait_for(answers, 60, "the product answers")
        if environment.get("VMS_OWNER_USER"):
            product.sign_in()
        yield product
    finally:
        try:
            product.stop()
        finally:
            log.close()
            if process.poll() is None:
                process.kill()
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """One installation with the demo's simulated cameras, shared by the tests of a session."""
    with running_product() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Ends with its module: while it runs, its event loop keeps asynchronous tests from running theirs."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()

"""A home with one volume and one camera, and the media service as a real process on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, write_desired
from recorder.home import VmsHome
from recorder.media.tokens import sign_media_token

VOLUME = "5b0e0a55-0000-4000-8000-000000000001"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Site:
    home: VmsHome
    volume: Path
    key: bytes
    camera: str
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    state: DesiredState = field(default=None)  # type: ignore[assignment]

    def token(self, use: str = "live", **changes) -> str:
        now = time.time()
        claims = {
            "sub": "user:7",
            "sid": "session:abc",
            "cam": self.camera,
            "str": "*",
            "use": use,
            "from": None,
            "to": None,
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        return sign_media_token(claims, self.key)

    def path(self, route: str, use: str, **changes) -> str:
        return f"/m/{self.token(use, **changes)}/{route}"

    def url(self, route: str, use: str = "playback", **changes) -> str:
        return f"http://127.0.0.1:{self.port}{self.path(route, use, **changes)}"

    def live_url(self, query: str = "", **changes) -> str:
        return f"ws://127.0.0.1:{self.port}{self.path('live', 'live', **changes)}{query}"

    @property
    def proc(self) -> Path:
        return Path(f"/proc/{self.process.pid}")

    def desire(self, **changes) -> None:
        self.state = replace(self.state, **changes)
        write_desired(self.home.desired, self.state)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    home = VmsHome(tmp_path / "home")
    home.make_directories()
    volume = tmp_path / "volume"
    volume.mkdir()
    camera = str(uuid.uuid4())
    site = Site(home, volume, home.read_or_make_secret("media.key"), camera)
    site.state = DesiredState(
        server=str(uuid.uuid4()),
        config_version=1,
        shards=1,
        camera_networks=(),
        volumes=(VolumeSpec(VOLUME, str(volume)),),
        streams=tuple(StreamSpec(camera, stream, 0, 1, "rtsp://127.0.0.1/", VOLUME) for stream in ("main", "sub")),
    )
    write_desired(home.desired, site.state)
    return site


@pytest.fixture
def start_media(site: Site) -> Iterator[Callable[..., Site]]:
    def start(**environment: str) -> Site:
        site.port = free_port()
        site.process = subprocess.Popen(
            [sys.executable, "-m", "recorder.media", "--home", str(site.home.root), "--port", str(site.port)],
            env={**os.environ, **environment},
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{site.port}/healthz").text == "ok":
                    return site
            except httpx.TransportError:
                assert site.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)

    yield start
    if site.process is not None:
        site.process.terminate()
        site.process.wait(10)


@pytest.fixture
def media(start_media: Callable[..., Site]) -> Site:
    return start_media()

"""Real parts for every test: Redis, people, simulated cameras. Each is started once, when a test first asks."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from pathlib import Path

import pytest
from django.conf import settings

from watchdog.redis import redis_command

pytest_plugins = [
    name
    for name in ("tests.people", "tests.recorder.simcam.fixtures", "tests.product")
    if importlib.util.find_spec(name) is not None
]


WAITING_FOR_FRAMES = (
    "api/test_probe", "browser/", "e2e/", "recorder/archive/", "recorder/capture/test_shard",
    "recorder/fmp4/test_players",
    "recorder/media/", "recorder/simcam/", "rig/",
)  # fmt: skip
"""Tests that watch pictures arrive or run other programs, at their own pace: `./test --fast` leaves them out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix().startswith(WAITING_FOR_FRAMES):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def redis_server():
    """The Redis of the settings, on its unix socket, gone with the session."""
    socket: Path = settings.VMS_HOME.redis_socket
    process = subprocess.Popen(redis_command(settings.VMS_HOME), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not socket.exists():
        assert process.poll() is None, "redis-server ended at once"
        assert time.monotonic() < deadline, "redis-server made no socket within 10 s"
        time.sleep(0.02)
    yield socket
    process.terminate()
    process.wait(10)


def pytest_sessionfinish(session: pytest.Session) -> None:
    import shutil

    shutil.rmtree(settings.VMS_HOME.root, ignore_errors=True)

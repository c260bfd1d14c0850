"""The plant: one product and 16 simulated cameras for the whole session, without the demo's cameras."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import running_product

from .plant import CAMERAS_A_KIND, KINDS, Camera, Plant, add_camera, start_simulators, wait_recording


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    simulators = start_simulators(tmp_path_factory.mktemp("plant"), KINDS, CAMERAS_A_KIND)
    try:
        with running_product(Path(tmp_path_factory.mktemp("heron")), VMS_DEMO="0") as product:
            cameras = []
            for kind, simulator in simulators.items():
                for number in range(1, CAMERAS_A_KIND + 1):
                    transport = "udp" if number % 2 == 0 else "tcp"
                    name = f"{kind} {transport} {number}"
                    has_sub = number <= 2
                    settings = {"sub_url": simulator.url(number, "sub")} if has_sub else {}
                    camera = add_camera(product, name, simulator.url(number), transport=transport, **settings)
                    streams = ("main", "sub") if has_sub else ("main",)
                    cameras.append(Camera(camera, name, simulator.ledger, number, streams, "G.711" in kind))
            wait_recording(product, *(camera.id for camera in cameras))
            plant = Plant(product, cameras, time.monotonic(), {})
            plant.first_runs = plant.runs()
            assert len(plant.first_runs) == sum(len(camera.streams) for camera in cameras)
            yield plant
    finally:
        for simulator in simulators.values():
            simulator.stop()

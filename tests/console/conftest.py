"""Cameras and a server for page tests: rows as the services make them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from vms.cameras.choices import StreamKind, StreamState
from vms.cameras.models import Camera, StreamStatus
from vms.cameras.services import create_camera
from vms.servers.choices import VolumeState
from vms.servers.local import ensure_local_server
from vms.servers.models import Server, Volume


@pytest.fixture(scope="session", autouse=True)
def static_root() -> None:
    """WhiteNoise warns where nothing was collected."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def server(db) -> Server:
    server = ensure_local_server()
    Server.objects.update(last_seen_at=timezone.now())
    server.refresh_from_db()
    return server


@pytest.fixture
def volume(server) -> Volume:
    return Volume.objects.create(
        server=server, path="/srv/heron", capacity_bytes=12 * 10**12, free_bytes=3 * 10**12, state=VolumeState.OK
    )


def report(camera: Camera, state: StreamState, **fields) -> None:
    """What the recorder would have written about the main stream."""
    stream = camera.streams.get(kind=StreamKind.MAIN)
    StreamStatus.objects.update_or_create(
        stream=stream, defaults={"state": state, "since_at": timezone.now() - timedelta(minutes=2), **fields}
    )


@pytest.fixture
def gate_camera(server) -> Camera:
    """Records."""
    camera = create_camera(
        actor=None,
        name="Gate 2",
        main_url="rtsp://10.0.8.23/main",
        sub_url="rtsp://10.0.8.23/sub",
        username="viewer",
        password="never shown",
    )
    report(camera, StreamState.RECORDING, codec="h264", width_px=1920, height_px=1080, fps=15, bitrate_bps=1_612_000)
    return camera


@pytest.fixture
def roof_camera(server) -> Camera:
    """Does not answer."""
    camera = create_camera(actor=None, name="Roof <west>", main_url="rtsp://10.0.8.31/main")
    report(
        camera,
        StreamState.UNREACHABLE,
        state_detail="The camera does not answer on 10.0.8.31.",
        retry_at=timezone.now() + timedelta(seconds=8),
    )
    return camera


@pytest.fixture
def demo_camera(server) -> Camera:
    return create_camera(actor=None, name="Demo 1", main_url="rtsp://127.0.0.1:5012/1/main", is_simulated=True)

"""A site with one server that reports, and cameras on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.utils import timezone

from vms.cameras.models import Camera, StreamStatus
from vms.cameras.services import create_camera
from vms.servers.local import ensure_local_server
from vms.servers.models import Server


@pytest.fixture(autouse=True)
def empty_cache():
    """Throttles and the audit's once-a-minute marks are kept there."""
    cache.clear()


@pytest.fixture
def server(db) -> Server:
    server = ensure_local_server()
    server.last_seen_at = timezone.now()
    server.save()
    return server


@pytest.fixture
def make_camera(server) -> Callable[..., Camera]:
    def make(name: str = "Harbour", state: str | None = "recording", **settings) -> Camera:
        settings = {"main_url": "rtsp://10.0.0.5/main", "sub_url": "rtsp://10.0.0.5/sub", **settings}
        camera = create_camera(actor=None, name=name, server=server, **settings)
        if state:
            for stream in camera.streams.all():
                StreamStatus.objects.create(
                    stream=stream, state=state, codec="h264", width_px=1920, height_px=1080, fps=15,
                    since_at=timezone.now(), last_frame_at=timezone.now(),
                )  # fmt: skip
        return camera

    return make


@pytest.fixture
def camera(make_camera) -> Camera:
    return make_camera()

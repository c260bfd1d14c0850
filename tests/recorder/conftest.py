"""A server with a volume and a camera, as rows: what most tests of the archive's tables begin with."""

import pytest

from vms.cameras import services
from vms.servers.local import ensure_local_server
from vms.servers.volumes import ensure_volume


@pytest.fixture
def server(db):
    return ensure_local_server()


@pytest.fixture
def volume(server, tmp_path):
    return ensure_volume(server, tmp_path / "archive")


@pytest.fixture
def camera(server):
    return services.create_camera(actor=None, name="Gate", main_url="rtsp://10.0.0.9/main", server=server)

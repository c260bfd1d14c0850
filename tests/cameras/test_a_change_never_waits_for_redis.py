"""The nudge to the recorder is a courtesy: saved is saved, at once, whatever the broker does."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
import redis
from celery import Celery

from vms.cameras.services import create_camera
from vms.servers import services
from vms.servers.services import poke_recorder

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here"),
]


@pytest.fixture
def broker(tmp_path, monkeypatch):
    """Path of a broker's socket that the product uses; nobody listens there yet."""
    socket = tmp_path / "r.sock"
    app = Celery("away", broker=f"redis+socket://{socket}?virtual_host=0", set_as_current=False)
    monkeypatch.setattr(services, "current_app", app)
    return socket


@contextmanager
def running_redis(socket):
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=socket.parent)
    client = redis.Redis(unix_socket_path=str(socket), db=0)
    try:
        deadline = time.monotonic() + 5
        while not socket.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process, client
    finally:
        client.close()
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def test_with_redis_gone_a_camera_is_saved_at_once_and_later_nudges_land(broker):
    started = time.monotonic()
    create_camera(actor=None, name="Gate", main_url="rtsp://10.0.0.5/1")
    assert time.monotonic() - started < 1
    with running_redis(broker) as (_, client):
        poke_recorder("main")
        assert client.llen("recorder.main") == 1
        assert b"recorder.reconcile" in client.lpop("recorder.main")


def test_a_redis_that_hangs_costs_less_than_a_second(broker):
    """A stopped process accepts connections and says nothing."""
    with running_redis(broker) as (process, _):
        os.kill(process.pid, signal.SIGSTOP)
        started = time.monotonic()
        poke_recorder("main")
        assert time.monotonic() - started < 1.5

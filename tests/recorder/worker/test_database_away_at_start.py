"""A recorder that starts while the database is away keeps its capture processes all the same (fault F49)."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from recorder.home import VmsHome
from recorder.worker.shards import lock_owner

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("redis_server")]


def test_capture_runs_and_ends_in_order(tmp_path):
    home = VmsHome(tmp_path / "home")
    home.make_directories()
    home.redis_socket.symlink_to(settings.VMS_HOME.redis_socket)
    environment = {**os.environ, "VMS_HOME": str(home.root), "DJANGO_SETTINGS_MODULE": "vms.settings",
                   "VMS_DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "CELERY_SKIP_CHECKS": "1"}  # fmt: skip
    log = (tmp_path / "worker.log").open("wb")
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "vms", "worker", "-P", "threads", "-c", "1", "-Q", "recorder.away",
         "-n", "recorder@away", "--without-gossip", "--without-mingle", "--loglevel", "INFO"],
        env=environment, cwd=Path(settings.BASE_DIR), stdout=log, stderr=log,
    )  # fmt: skip
    told = tmp_path / "worker.log"
    try:
        deadline = time.monotonic() + 30
        while not (lock_owner(home.capture_lock(0)) and told.read_text().count("the database does not answer") >= 2):
            assert worker.poll() is None and time.monotonic() < deadline, told.read_text()
            time.sleep(0.05)
        capture = lock_owner(home.capture_lock(0))
    finally:
        worker.terminate()
        worker.wait(20)
        log.close()
    assert capture is not None and lock_owner(home.capture_lock(0)) is None

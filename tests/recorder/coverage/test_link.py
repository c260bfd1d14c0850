"""The recorder's link keeps the ledger: journal drained, orphans ended, seconds explained, in that order."""

import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from recorder.capture.journal import Journal
from recorder.coverage.repair import to_us
from recorder.models import Gap, Recording
from recorder.worker.sitelink import SiteLink
from vms.cameras import services
from vms.cameras.models import Camera, Stream
from vms.servers.local import ensure_local_server

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def journal():
    path = settings.VMS_HOME.journal(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    yield Journal(path)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def test_what_a_crash_left_unsaid_is_explained_within_two_rounds(journal, monkeypatch):
    now = timezone.now()
    server = ensure_local_server()
    server.last_seen_at = now - 20 * MINUTE
    server.save()
    camera = services.create_camera(actor=None, name="Gate", main_url="rtsp://10.0.0.9/main", server=server)
    Camera.objects.update(created_at=now - 60 * MINUTE)
    Stream.objects.update(created_at=now - 60 * MINUTE)
    run, stream = str(uuid.uuid4()), {"camera": str(camera.pk), "stream": "main", "epoch": 1}
    started_ns, ended_ns = to_us(now - 60 * MINUTE) * 1000, to_us(now - 20 * MINUTE) * 1000
    started = {**stream, "run": run, "started_ns": started_ns, "time_source": "server", "error_ms": 5}
    journal.append([("run_started", started), ("run_ended", {"run": run, "ended_ns": ended_ns, "reason": "crashed"})])
    link = SiteLink(server.pk, 1)
    link._round()
    link._ledger_due = 0.0
    link._round()
    assert Recording.objects.get().ended_at == now - 20 * MINUTE
    (gap,) = Gap.objects.all()
    assert (gap.cause, gap.started_at) == ("server_down", now - 20 * MINUTE)
    assert gap.ended_at < timezone.now() - timedelta(seconds=55)
    link._ledger_due = 0.0
    link._round()
    assert Gap.objects.count() <= 2, "nothing is told twice"

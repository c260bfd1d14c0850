"""Pages: the coverage report, retention and the archive check, each for one who may and one who may not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from recorder.models import ArchiveCheck, ArchiveFinding, Gap, Recording, RetentionRule, StreamUsage
from tests.api.conftest import camera, make_camera, server  # noqa: F401 - fixtures
from vms.cameras.models import Camera, Stream
from vms.servers.models import Volume

pytestmark = pytest.mark.django_db


def page(client, url, **query):
    answer = client.get(url, query)
    assert answer.status_code == 200, answer.status_code
    text = answer.content.decode()
    assert "<script>" not in text and "style=" not in text
    return text


def test_the_report_shows_ninety_days_the_percent_and_the_longest_gap(viewer, stranger, client_of, camera):  # noqa: F811
    now = timezone.now()
    Camera.objects.update(created_at=now - timedelta(days=10))
    Stream.objects.update(created_at=now - timedelta(days=10))
    main = camera.streams.get(kind="main")
    for start, end in ((10, 5), (4.5, 0)):
        Recording.objects.create(
            stream=main, server=camera.server, epoch=1, started_at=now - timedelta(days=start),
            ended_at=now - timedelta(days=end),
        )  # fmt: skip
    Gap.objects.create(
        stream=main, server=camera.server, epoch=1, started_at=now - timedelta(days=5),
        ended_at=now - timedelta(days=4.5), cause="unreachable",
    )  # fmt: skip
    url = f"/cameras/{camera.pk}/coverage/"
    text = page(client_of(viewer), url, tz="Australia/Lord_Howe")
    assert "Unreachable" in text and "12 h" in text and text.count("<g>") == 90
    assert "94.99 %" in text or "95 %" in text
    page(client_of(viewer), url, stream="sub", tz="Nowhere/City")
    assert client_of(viewer).get(url, {"stream": "third"}).status_code == 404
    assert client_of(stranger).get(url).status_code == 404


def test_a_rule_is_saved_from_the_page_with_what_the_disks_lack(administrator, operator, viewer, client_of, camera):  # noqa: F811
    volume = Volume.objects.create(server=camera.server, path="/srv/x", capacity_bytes=10**12, free_bytes=500 * 10**9)
    StreamUsage.objects.create(
        stream=camera.streams.get(kind="main"), volume=volume, rate_bytes_per_day=20e9, counted_at=timezone.now()
    )
    url = "/set-up/storage/retention/"
    answer = client_of(administrator).post(f"{url}save/", {"camera": camera.pk, "min_days": "30"}, follow=True)
    assert "120.0 GB are missing" in answer.content.decode()
    rule = RetentionRule.objects.get()
    assert (rule.camera, rule.min_days, rule.max_bytes) == (camera, 30, None)
    assert "Kept 24 days at today&#x27;s rate, promise 30." in page(client_of(operator), url)
    for bad in ({"min_days": "soon"}, {"min_days": "9", "max_days": "3"}, {"max_gb": "1e99"}):
        client_of(administrator).post(f"{url}save/", {"camera": camera.pk, **bad})
    rule.refresh_from_db()
    assert rule.min_days == 30 and RetentionRule.objects.count() == 1
    assert client_of(operator).post(f"{url}save/", {"min_days": "3"}).status_code == 403
    assert client_of(operator).post(f"{url}{rule.pk}/delete/").status_code == 403
    assert client_of(administrator).post(f"{url}save/", {"camera": "x"}).status_code == 404
    assert client_of(viewer).get(url).status_code == 403
    assert client_of(administrator).post(f"{url}{rule.pk}/delete/").status_code == 302
    assert not RetentionRule.objects.exists()


def test_the_archive_check_page_says_what_was_found(administrator, operator, viewer, client_of, server):  # noqa: F811
    url = "/set-up/storage/check/"
    assert "was never checked" in page(client_of(operator), url)
    assert client_of(viewer).get(url).status_code == 403
    assert client_of(operator).post(f"{url}start/", {"server": server.pk}).status_code == 403
    assert client_of(administrator).post(f"{url}start/", {"server": server.pk}).status_code == 302
    assert 'hx-trigger="every 3s"' in page(client_of(operator), url)
    check = ArchiveCheck.objects.get()
    ArchiveFinding.objects.create(check_run=check, difference="foreign_file", volume="v", path="holiday.jpg")
    ArchiveCheck.objects.update(state="done", finding_count=1, finished_at=timezone.now())
    text = page(client_of(operator), url)
    assert "holiday.jpg" in text and "Foreign files: left alone." in text and "every 3s" not in text
    assert client_of(operator).get(url, {"server": "x"}).status_code == 404

"""Rules, holds, the forecast and the archive check over the API: who may, who may not, what is written down."""

from datetime import timedelta

import pytest
from django.utils import timezone
from guardian.shortcuts import assign_perm

from recorder.models import ArchiveCheck, Hold, RetentionRule, StreamUsage
from recorder.worker.checker import run_wanted_check
from vms.audit.models import AuditEntry
from vms.cameras.services import delete_camera
from vms.servers.models import Volume
from vms.servers.volumes import ensure_volume

GB = 10**9


@pytest.fixture
def volume(server):
    return Volume.objects.create(server=server, path="/srv/footage", capacity_bytes=1000 * GB, free_bytes=500 * GB)


@pytest.fixture
def usage(camera, volume):
    return StreamUsage.objects.create(
        stream=camera.streams.get(kind="main"), volume=volume, kept_bytes=0, rate_bytes_per_day=20 * GB,
        counted_at=timezone.now(),
    )  # fmt: skip


def test_the_sites_default_is_set_by_who_may_change_storage(administrator, operator, api_of, server):
    answer = api_of(administrator).post("/api/v1/retention/", {"max_days": 30})
    assert answer.status_code == 201, answer.json()
    assert answer.json()["warnings"] == [] and answer.json()["camera"] is None
    assert AuditEntry.objects.get(action="retention.created").detail["after"]["max_days"] == 30
    url = f"/api/v1/retention/{answer.json()['id']}/"
    assert api_of(operator).get("/api/v1/retention/").json()["count"] == 1
    assert api_of(operator).post("/api/v1/retention/", {"max_days": 1}).status_code == 403
    assert api_of(operator).patch(url, {"max_days": 1}).status_code == 403
    assert api_of(administrator).post("/api/v1/retention/", {"max_days": 5}).status_code == 400
    assert api_of(administrator).patch(url, {"max_days": 14}).json()["max_days"] == 14
    assert AuditEntry.objects.get(action="retention.changed").detail["before"]["max_days"] == 30
    assert api_of(administrator).delete(url).status_code == 204
    assert not RetentionRule.objects.exists()
    assert AuditEntry.objects.filter(action="retention.deleted").exists()


def test_a_rule_of_a_camera_needs_the_right_on_that_camera(stranger, viewer, api_of, make_camera):
    mine, other = make_camera("Mine"), make_camera("Other")
    assign_perm("cameras.manage_cameras", stranger, mine)
    client = api_of(type(stranger).objects.get(pk=stranger.pk))
    assert (
        client.post("/api/v1/retention/", {"camera": mine.pk, "stream_kind": "sub", "max_days": 7}).status_code == 201
    )
    assert client.post("/api/v1/retention/", {"camera": other.pk, "max_days": 7}).status_code == 400
    assert client.post("/api/v1/retention/", {"max_days": 7}).status_code == 403
    assert api_of(viewer).post("/api/v1/retention/", {"camera": mine.pk, "max_days": 7}).status_code == 403
    rule = RetentionRule.objects.get()
    assert client.patch(f"/api/v1/retention/{rule.pk}/", {"camera": other.pk}).status_code == 400
    assert [row["camera"] for row in api_of(viewer).get("/api/v1/retention/").json()["results"]] == [str(mine.pk)]


@pytest.mark.parametrize(
    "limits", [{"min_days": 30, "max_days": 7}, {"min_days": -1}, {"max_bytes": -5}, {"max_days": "many"},
               {"max_days": 10**9}]
)  # fmt: skip
def test_impossible_rules_are_refused(administrator, api_of, server, limits):
    answer = api_of(administrator).post("/api/v1/retention/", limits)
    assert answer.status_code == 400, answer.json()
    assert not RetentionRule.objects.exists()


def test_a_promise_that_the_disks_cant_keep_is_saved_with_a_warning_that_says_by_how_much(
    administrator, api_of, camera, usage
):
    answer = api_of(administrator).post(
        "/api/v1/retention/", {"camera": camera.pk, "min_days": 30, "stream_kind": "main"}
    )
    assert answer.status_code == 201 and RetentionRule.objects.get().min_days == 30
    (warning,) = answer.json()["warnings"]
    # 500 GB free, of which 2 % of 1000 GB stay free: 480 GB are 24 days of 20 GB.
    assert warning["forecast_days"] == pytest.approx(24) and warning["promise_days"] == 30
    assert warning["missing_bytes"] == pytest.approx(6 * 20 * GB)
    assert warning["detail"] == "Harbour (main stream): room for 24.0 of 30 days; 120.0 GB are missing."


def test_the_forecast_is_for_who_may_see_storage(operator, viewer, api_of, camera, usage):
    RetentionRule.objects.create(camera=camera, min_days=30)
    body = api_of(operator).get("/api/v1/retention/forecast/").json()
    row = next(row for row in body["streams"] if row["stream"] == "main")
    assert row["detail"] == "Kept 24 days at today's rate, promise 30."
    assert row["promise_breaks_at"] is not None
    assert api_of(viewer).get("/api/v1/retention/forecast/").status_code == 403
    assert api_of(operator).get("/api/v1/retention/forecast/", {"server": "x"}).status_code == 400


def test_a_hold_is_set_by_operators_released_by_administrators_and_written_down(
    administrator, operator, viewer, stranger, api_of, camera
):
    now = timezone.now()
    span = {"camera": str(camera.pk), "started_at": (now - timedelta(hours=1)).isoformat(), "ended_at": now.isoformat()}
    assert api_of(viewer).post("/api/v1/holds/", {**span, "reason": "theft"}).status_code == 403
    assert api_of(stranger).post("/api/v1/holds/", {**span, "reason": "theft"}).status_code == 400
    assert api_of(operator).post("/api/v1/holds/", span).status_code == 400
    turned = {**span, "started_at": span["ended_at"], "ended_at": span["started_at"], "reason": "theft"}
    assert api_of(operator).post("/api/v1/holds/", turned).status_code == 400
    answer = api_of(operator).post("/api/v1/holds/", {**span, "reason": "theft"})
    assert answer.status_code == 201 and answer.json()["created_by"] == "operator"
    url = f"/api/v1/holds/{answer.json()['id']}/"
    assert api_of(viewer).get(url).json()["reason"] == "theft"
    assert api_of(stranger).get(url).status_code == 404
    assert api_of(operator).post(f"{url}release/").status_code == 403
    assert api_of(administrator).delete(url).status_code == 405
    assert api_of(administrator).post(f"{url}release/").json()["released_by"] == "administrator"
    assert api_of(administrator).post(f"{url}release/").status_code == 409
    assert AuditEntry.objects.filter(action="hold.created").count() == 1
    assert AuditEntry.objects.filter(action="hold.released").count() == 1
    assert api_of(viewer).get("/api/v1/holds/", {"is_released": "false"}).json()["count"] == 0
    assert api_of(viewer).get("/api/v1/holds/", {"camera": camera.pk}).json()["count"] == 1


def test_a_hold_outlives_its_camera_and_can_still_be_released(administrator, api_of, camera):
    now = timezone.now()
    hold = Hold.objects.create(camera=camera, started_at=now - timedelta(hours=1), ended_at=now, reason="theft")
    delete_camera(actor=administrator, camera=camera)
    assert api_of(administrator).get("/api/v1/holds/").json()["count"] == 1
    assert api_of(administrator).post(f"/api/v1/holds/{hold.pk}/release/").status_code == 200


def test_the_archive_check_is_asked_for_and_read_in_pages(administrator, operator, viewer, api_of, server, tmp_path):
    volume = ensure_volume(server, tmp_path / "archive")
    for number in range(3):
        (tmp_path / "archive" / f"holiday-{number}.jpg").write_bytes(b"mine")
    url = "/api/v1/archive/check/"
    assert api_of(operator).get(url).json()["errors"][0]["code"] == "never_checked"
    assert api_of(viewer).get(url).status_code == 403
    assert api_of(operator).post(url).status_code == 403
    first = api_of(administrator).post(url)
    assert first.status_code == 202 and first.json()["state"] == "wanted"
    assert api_of(administrator).post(url).json()["id"] == first.json()["id"], "one at a time"
    assert run_wanted_check(server.pk).state == "done"
    assert run_wanted_check(server.pk) is None
    body = api_of(operator).get(url, {"difference": "foreign_file"}).json()
    assert (body["state"], body["count"], body["finding_count"], body["next"]) == ("done", 3, 3, None)
    assert {row["path"] for row in body["results"]} == {f"holiday-{n}.jpg" for n in range(3)}
    assert body["results"][0]["volume"] == str(volume.pk)
    assert api_of(operator).get(url, {"difference": "size_differs"}).json()["count"] == 0
    assert api_of(operator).get(url, {"difference": "odd"}).status_code == 400
    assert ArchiveCheck.objects.count() == 1

import uuid

import pytest
from django.utils import timezone
from guardian.shortcuts import assign_perm
from rest_framework.test import APIClient

from vms.audit.models import AuditEntry
from vms.audit.services import record_audit
from vms.events.models import Event
from vms.servers.models import Server, Volume


@pytest.fixture
def volume(server):
    return Volume.objects.create(server=server, path="/srv/footage", capacity_bytes=100, free_bytes=40)


def test_operators_read_servers_and_volumes_viewers_do_not(operator, viewer, api_of, volume):
    for url in ("/api/v1/servers/", "/api/v1/volumes/", f"/api/v1/volumes/{volume.pk}/"):
        assert api_of(operator).get(url).status_code == 200
        assert api_of(viewer).get(url).status_code == 403
        assert APIClient().get(url).status_code == 401
    row = api_of(operator).get("/api/v1/volumes/", {"server": volume.server_id}).json()["results"][0]
    assert (row["path"], row["free_bytes"], row["server_name"]) == ("/srv/footage", 40, "main")


def test_an_administrator_describes_a_server_and_its_name_stays(administrator, operator, api_of, server):
    url = f"/api/v1/servers/{server.pk}/"
    answer = api_of(administrator).patch(url, {"description": "In the cellar", "name": "other"})
    assert answer.status_code == 200
    assert (answer.json()["description"], answer.json()["name"]) == ("In the cellar", "main")
    assert AuditEntry.objects.get(action="server.changed").detail["after"] == {"description": "In the cellar"}
    assert api_of(administrator).patch(url, {"external_media_url": "javascript:alert(1)"}).status_code == 400
    assert api_of(operator).patch(url, {"description": "x"}).status_code == 403
    assert api_of(administrator).delete(url).status_code == 405
    assert api_of(administrator).get(f"/api/v1/servers/{uuid.uuid4()}/").status_code == 404


def test_switching_a_volume_off_tells_the_recorder(administrator, operator, api_of, volume):
    before = Server.objects.get(pk=volume.server_id).config_version
    url = f"/api/v1/volumes/{volume.pk}/"
    assert api_of(operator).patch(url, {"is_enabled": False}).status_code == 403
    assert api_of(administrator).patch(url, {"is_enabled": False, "path": "/etc"}).json()["path"] == "/srv/footage"
    volume.refresh_from_db()
    assert volume.is_enabled is False
    assert Server.objects.get(pk=volume.server_id).config_version == before + 1


def test_events_are_shown_with_the_right_to_their_camera(viewer, operator, stranger, api_of, make_camera, server):
    mine, other = make_camera("Mine"), make_camera("Other")
    for camera, kind in ((mine, "camera.lost"), (other, "camera.lost"), (None, "disk.full")):
        Event.objects.create(at=timezone.now(), kind=kind, camera=camera, server=server)

    def kinds(user, **query):
        answer = api_of(user).get("/api/v1/events/", query)
        assert answer.status_code == 200, answer.json()
        return [row["kind"] for row in answer.json()["results"]]

    assert kinds(operator) == ["disk.full", "camera.lost", "camera.lost"]
    assert kinds(viewer) == ["camera.lost", "camera.lost"]
    assert kinds(stranger) == []
    assign_perm("cameras.view_events", stranger, mine)
    assert kinds(type(stranger).objects.get(pk=stranger.pk)) == ["camera.lost"]
    assert kinds(operator, camera=mine.pk) == ["camera.lost"]
    assert kinds(operator, time_to="2020-01-01T00:00:00Z") == []
    assert kinds(operator, kind="disk.full", severity="info") == ["disk.full"]
    assert api_of(operator).get("/api/v1/events/", {"severity": "loud"}).status_code == 400
    assert APIClient().get("/api/v1/events/").status_code == 401


def test_events_come_in_pages_by_cursor(operator, api_of, server):
    Event.objects.bulk_create(Event(at=timezone.now(), kind=f"k{n}", server=server) for n in range(5))
    client = api_of(operator)
    page = client.get("/api/v1/events/", {"page_size": 2}).json()
    seen = [row["kind"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["kind"] for row in page["results"]]
    assert seen == ["k4", "k3", "k2", "k1", "k0"]


def test_the_audit_trail_is_read_by_administrators_and_changed_by_nobody(administrator, operator, api_of):
    entry = record_audit(actor=administrator, action="test.done", detail={"a": 1})
    url = "/api/v1/audit/"
    row = api_of(administrator).get(url, {"action": "test.done"}).json()["results"][0]
    assert (row["actor_name"], row["detail"]) == ("administrator", {"a": 1})
    assert api_of(operator).get(url).status_code == 403
    for method in ("put", "patch", "delete"):
        assert getattr(api_of(administrator), method)(f"{url}{entry.pk}/").status_code == 405

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm
from rest_framework.test import APIClient

from vms.audit.models import AuditEntry
from vms.cameras.models import Camera
from vms.cameras.sealing import open_password

URL = "/api/v1/cameras/"


def one(camera) -> str:
    return f"{URL}{camera.pk}/"


def test_an_administrator_adds_a_camera_and_its_password_never_comes_back(administrator, api_of, server):
    body = {"name": "Gate", "main_url": "rtsp://10.0.0.9/1", "username": "root", "password": "hunter2"}
    answer = api_of(administrator).post(URL, body)
    assert answer.status_code == 201, answer.json()
    got = answer.json()
    assert "hunter2" not in answer.content.decode() and "password" not in got
    assert got["has_password"] is True
    assert (got["server"], got["server_name"], got["state"]) == (str(server.pk), "main", "connecting")
    assert got["streams"]["sub"] is None
    camera = Camera.objects.get(pk=got["id"])
    assert open_password(camera.pk, camera.password_sealed) == "hunter2"
    entry = AuditEntry.objects.get(action="camera.created")
    assert entry.actor == administrator and "hunter2" not in str(entry.detail)


@pytest.mark.parametrize("person", ["operator", "viewer", "stranger"])
def test_nobody_below_adds_cameras(person, request, api_of, server):
    answer = api_of(request.getfixturevalue(person)).post(URL, {"name": "x", "main_url": "rtsp://10.0.0.9/1"})
    assert answer.status_code == 403


def test_without_signing_in_there_is_nothing(camera):
    assert APIClient().get(URL).status_code == 401
    assert APIClient().get(one(camera)).status_code == 401


def test_a_viewer_lists_cameras_without_addresses(viewer, administrator, api_of, camera):
    row = api_of(viewer).get(URL).json()["results"][0]
    assert (row["name"], row["state"]) == ("Harbour", "recording")
    assert row["streams"]["main"]["width_px"] == 1920
    assert row["main_url"] == row["username"] == ""
    assert api_of(administrator).get(one(camera)).json()["main_url"] == "rtsp://10.0.0.5/main"


def test_a_stranger_sees_no_camera_and_one_granted_only_that(stranger, api_of, make_camera):
    mine, other = make_camera("Mine"), make_camera("Other")
    client = api_of(stranger)
    assert client.get(URL).json()["results"] == []
    assert client.get(one(mine)).status_code == 404
    assign_perm("cameras.view_live", stranger, mine)
    client = api_of(type(stranger).objects.get(pk=stranger.pk))
    assert [row["name"] for row in client.get(URL).json()["results"]] == ["Mine"]
    assert client.get(one(other)).status_code == 404
    assert client.patch(one(mine), {"name": "x"}).status_code == 404, "seeing is not managing"
    assert client.delete(one(mine)).status_code == 404


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_viewer_changes_nothing(viewer, api_of, camera, method):
    assert getattr(api_of(viewer), method)(one(camera)).status_code == 403


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "bad_scheme"),
        ("concat:a|b", "bad_scheme"),
        ("ftp://10.0.0.1/", "bad_scheme"),
        ("rtsp://user:pass@10.0.0.1/", "bad_address"),
        ("rtsp:///x", "bad_address"),
        ("rtsp://10.0.0.1:99999/", "bad_address"),
        ("srt://10.0.0.1/", "bad_address"),
        ("rtsp://169.254.169.254/latest", "address_not_allowed"),
        ("rtsp://8.8.8.8/", "address_not_allowed"),
        ("rtsp://[::ffff:8.8.8.8]/", "address_not_allowed"),
    ],
)
def test_an_address_that_cannot_work_gets_a_sentence_and_a_code(administrator, api_of, server, url, code):
    answer = api_of(administrator).post(URL, {"name": "x", "main_url": url})
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert (error["code"], error["attr"]) == (code, "main_url")
    assert error["detail"].endswith(".") and "pass" not in error["detail"].replace("password", "")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "n\x00", "main_url": "rtsp://10.0.0.1/"},
        {"name": "x" * 121, "main_url": "rtsp://10.0.0.1/"},
        {"name": "x", "main_url": "rtsp://10.0.0.1/" + "x" * 2000},
        {"name": "x", "main_url": "rtsp://10.0.0.1/", "recording_mode": "sometimes"},
        {"name": "x", "main_url": "rtsp://10.0.0.1/", "server": "00000000-0000-0000-0000-000000000000"},
        {"name": "x", "main_url": ["rtsp://10.0.0.1/"]},
        ["x"],
    ],
)
def test_malformed_cameras_get_400_in_the_documented_shape(administrator, api_of, server, body):
    answer = api_of(administrator).post(URL, body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "validation_error"
    assert set(answer.json()["errors"][0]) == {"code", "detail", "attr"}


def test_another_host_clears_the_password_unless_a_new_one_comes_along(administrator, api_of, make_camera):
    """A37: nobody can have the product send a stored password to a machine of his own."""
    camera = make_camera(password="hunter2", username="root")
    client = api_of(administrator)
    assert client.patch(one(camera), {"main_url": "rtsp://10.0.0.5/other"}).json()["has_password"] is True
    assert client.patch(one(camera), {"sub_url": "rtsp://10.0.0.66/sub"}).json()["has_password"] is False
    assert client.patch(one(camera), {"password": "again"}).json()["has_password"] is True
    assert client.patch(one(camera), {"main_url": "rtsp://10.0.0.5:8554/x"}).json()["has_password"] is False
    moved = {"main_url": "rtsp://10.0.0.7/x", "sub_url": "", "password": "third"}
    assert client.patch(one(camera), moved).json()["has_password"] is True
    assert client.patch(one(camera), {"name": "Pier", "password": None}).json()["has_password"] is True
    assert client.patch(one(camera), {"password": ""}).json()["has_password"] is False


def test_a_simulated_camera_keeps_its_loopback_address_only_while_it_is_one(
    administrator, api_of, make_camera, settings
):
    settings.VMS_CAMERA_NETWORKS = ("10.0.0.0/8",)
    camera = make_camera(main_url="rtsp://127.0.0.1:9/0", sub_url="", is_simulated=True)
    client = api_of(administrator)
    assert client.patch(one(camera), {"main_url": "rtsp://127.0.0.1:9/0", "name": "Demo"}).status_code == 200
    assert client.patch(one(camera), {"main_url": "rtsp://127.0.0.1:6379/"}).status_code == 400
    assert client.patch(one(camera), {"main_url": "rtsp://10.0.0.1/"}).json()["is_simulated"] is False


def test_deleting_hides_the_camera_and_keeps_its_row(administrator, api_of, make_camera):
    camera = make_camera(password="hunter2")
    client = api_of(administrator)
    assert client.delete(one(camera)).status_code == 204
    assert client.get(one(camera)).status_code == 404
    camera.refresh_from_db()
    assert camera.deleted_at and bytes(camera.password_sealed) == b""
    assert not camera.streams.filter(is_enabled=True).exists()
    assert not camera.assignments.filter(ends_at__isnull=True).exists()


def test_switching_on_again_shows_no_state_from_before(administrator, api_of, camera):
    client = api_of(administrator)
    assert client.get(one(camera)).json()["state"] == "recording"
    assert client.patch(one(camera), {"is_enabled": False}).json()["state"] == "disabled"
    assert client.patch(one(camera), {"is_enabled": True}).json()["state"] == "connecting"


def test_a_restart_is_for_administrators(administrator, viewer, api_of, camera):
    assert api_of(viewer).post(f"{one(camera)}restart/").status_code == 403
    assert api_of(administrator).post(f"{one(camera)}restart/").status_code == 202
    camera.refresh_from_db()
    assert camera.restart_count == 1


def test_the_simulated_cameras_go_with_one_call(administrator, viewer, api_of, make_camera):
    make_camera("Real")
    make_camera("Demo 1", is_simulated=True)
    make_camera("Demo 2", is_simulated=True)
    assert api_of(viewer).delete(f"{URL}simulated/").status_code == 403
    assert api_of(administrator).delete(f"{URL}simulated/").json() == {"removed": 2}
    assert [camera.name for camera in Camera.objects.existing()] == ["Real"]


def test_filters_by_state_server_switch_and_name(operator, api_of, make_camera, server):
    make_camera("Harbour")
    make_camera("Lobby", state="stalled")
    make_camera("Cellar", is_enabled=False)
    client = api_of(operator)

    def names(**query):
        answer = client.get(URL, query)
        assert answer.status_code == 200, answer.json()
        return [row["name"] for row in answer.json()["results"]]

    assert names() == ["Cellar", "Harbour", "Lobby"]
    assert names(state="stalled") == ["Lobby"]
    assert names(state=["stalled", "disabled"]) == ["Cellar", "Lobby"]
    assert names(is_enabled="false") == ["Cellar"]
    assert names(search="harb") == ["Harbour"]
    assert names(server=server.pk) == ["Cellar", "Harbour", "Lobby"]
    assert names(page_size=2) == ["Cellar", "Harbour"]
    assert client.get(URL, {"state": "dancing"}).status_code == 400
    assert client.get(URL, {"page": 9}).status_code == 404


def test_an_old_recording_is_no_promise_when_the_recorder_is_silent(operator, api_of, camera, server):
    server.last_seen_at = timezone.now() - timedelta(minutes=1)
    server.save()
    row = api_of(operator).get(one(camera)).json()
    assert row["state"] == "unknown"
    assert "doesn't report" in row["state_detail"]


@pytest.mark.parametrize("url", [URL, "/api/v1/servers/", "/api/v1/volumes/", "/api/v1/events/", "/api/v1/audit/"])
def test_a_list_page_costs_the_same_queries_however_long_it_is(url, owner, api_of, make_camera):
    client = api_of(owner)
    make_camera("First")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(url).status_code == 200
        return len(caught)

    queries()
    few = queries()
    for number in range(8):
        make_camera(f"More {number}")
    assert queries() == few
    assert few <= 9

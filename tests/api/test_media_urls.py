"""What the media calls hand out: to whom, for how long, for what."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.utils import timezone
from guardian.shortcuts import assign_perm
from rest_framework.test import APIClient

from recorder.media.tokens import verify_media_token
from recorder.models import Recording
from vms.audit.models import AuditEntry
from vms.servers.models import Server

DAY = datetime(2026, 3, 1, tzinfo=UTC)
SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T00:01:00Z"}
HOST = f"wall.example:{settings.VMS_PORT}"


def call(client, camera, what, **query):
    return client.get(f"/api/v1/cameras/{camera.pk}/{what}", query)


def claims_of(url: str):
    token = urlsplit(url).path.split("/m/")[1].split("/")[0]
    return verify_media_token(token, settings.VMS_MEDIA_KEY, timezone.now().timestamp())


@pytest.fixture(autouse=True)
def any_host(settings):
    settings.ALLOWED_HOSTS = ["*"]


@pytest.fixture
def elsewhere(camera):
    """Footage of a server on another machine: the rows answer."""
    other = Server.objects.create(site=camera.site, name="other", host="192.168.7.7", media_port=5099)
    camera.server = other
    camera.save()
    Recording.objects.create(
        stream=camera.streams.get(kind="main"), server=other, epoch=1,
        started_at=DAY, ended_at=DAY + timedelta(hours=1),
    )  # fmt: skip
    return camera


def test_live_names_the_host_of_the_request_and_is_bound_to_all(viewer, api_of, camera):
    client = api_of(viewer)
    client.defaults["HTTP_HOST"] = HOST
    answer = call(client, camera, "live/", stream="sub")
    assert answer.status_code == 200
    body = answer.json()
    assert body["websocket_url"].startswith(f"ws://wall.example:{camera.server.media_port}/m/")
    assert body["proxy_websocket_url"].startswith(f"ws://{HOST}/media/m/")
    claims = claims_of(body["websocket_url"])
    assert claims.subject == f"user:{viewer.pk}" and claims.session.startswith("session:")
    assert (claims.camera, claims.stream, claims.use) == (str(camera.pk), "sub", "live")
    assert 55 <= claims.expires_s - claims.issued_s <= 60


def test_a_bearer_token_gets_a_session_subject_of_its_own(viewer, camera):
    from tests.people import PASSWORD

    token = APIClient().post("/api/v1/auth/token/", {"username": "viewer", "password": PASSWORD}).json()["token"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    claims = claims_of(call(client, camera, "live/").json()["websocket_url"])
    assert claims.session.startswith("session:") and token not in claims.session


def test_playback_gives_a_base_for_the_player(viewer, api_of, camera):
    body = call(api_of(viewer), camera, "playback/").json()
    assert body["base_url"].endswith("/") and body["proxy_base_url"].startswith("/media/m/")
    assert claims_of(body["base_url"]).use == "playback"


def test_a_clip_redirects_to_the_server_that_has_it(operator, api_of, elsewhere):
    client = api_of(operator)
    client.defaults["HTTP_HOST"] = HOST
    answer = call(client, elsewhere, "clip.mp4", **SPAN)
    assert answer.status_code == 302
    location = urlsplit(answer.headers["Location"])
    assert location.netloc == "192.168.7.7:5099" and location.path.endswith("/clip.mp4")
    claims = claims_of(answer.headers["Location"])
    start_ms = int(DAY.timestamp() * 1000)
    assert (claims.use, claims.from_ms, claims.to_ms) == ("clip", start_ms, start_ms + 60_000)
    assert parse_qs(location.query) == {"from": [str(start_ms)], "to": [str(start_ms + 60_000)]}
    assert AuditEntry.objects.filter(action="media.clip", actor=operator, object_id=elsewhere.pk).count() == 1


def test_a_client_that_accepts_pictures_only_is_served(viewer, api_of, camera):
    client = api_of(viewer)
    client.defaults["HTTP_ACCEPT"] = "image/jpeg"
    assert call(client, camera, "snapshot.jpg").status_code == 302


@pytest.mark.parametrize(
    "extra", [{"HTTP_HOST": "vms.example"}, {"HTTP_HOST": HOST, "HTTP_X_FORWARDED_FOR": "10.1.1.1"}]
)
def test_behind_a_proxy_the_redirect_stays_on_the_same_origin(extra, operator, api_of, elsewhere):
    client = api_of(operator)
    client.defaults.update(extra)
    assert call(client, elsewhere, "clip.mp4", **SPAN).headers["Location"].startswith("/media/m/")


def test_the_proxy_can_be_asked_for(operator, api_of, elsewhere):
    client = api_of(operator)
    client.defaults["HTTP_HOST"] = HOST
    assert call(client, elsewhere, "clip.mp4", **SPAN, proxy=1).headers["Location"].startswith("/media/m/")


def test_a_span_of_24_hours_passes_and_a_longer_one_does_not(operator, api_of, elsewhere):
    client = api_of(operator)
    day = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}
    assert call(client, elsewhere, "clip.mp4", **day).status_code == 302
    longer = call(client, elsewhere, "clip.mp4", **{**day, "to": "2026-03-02T00:00:01Z"})
    assert longer.status_code == 400
    assert longer.json()["errors"][0]["code"] == "span_too_long"
    assert "24 hours" in longer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("what", ["clip.mp4", "playlist.m3u8"])
def test_an_empty_span_gives_404_with_the_nearest_moments(what, operator, api_of, elsewhere):
    span = {"from": "2026-03-01T05:00:00Z", "to": "2026-03-01T05:01:00Z"}
    answer = call(api_of(operator), elsewhere, what, **span)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "no_footage"
    assert answer.json()["nearest"] == {"before": "2026-03-01T01:00:00.000Z", "after": None}


def test_on_this_server_the_disks_answer(operator, api_of, camera):
    """Rows without files are no footage."""
    Recording.objects.create(
        stream=camera.streams.get(kind="main"), server=camera.server, epoch=1,
        started_at=DAY, ended_at=DAY + timedelta(hours=1),
    )  # fmt: skip
    answer = call(api_of(operator), camera, "clip.mp4", **SPAN)
    assert answer.status_code == 404 and answer.json()["nearest"] == {"before": None, "after": None}


def test_a_playlist_lives_as_long_as_it_plays(viewer, api_of, elsewhere):
    answer = call(api_of(viewer), elsewhere, "playlist.m3u8", **SPAN)
    assert answer.status_code == 302
    claims = claims_of(answer.headers["Location"])
    assert claims.use == "playback" and claims.expires_s - claims.issued_s >= 3660


def test_a_snapshot_of_now_and_of_then(viewer, api_of, elsewhere):
    client = api_of(viewer)
    now = call(client, elsewhere, "snapshot.jpg", w=320)
    assert now.status_code == 302 and now.headers["Location"].endswith("snapshot.jpg?w=320")
    then = call(client, elsewhere, "snapshot.jpg", at="2026-03-01T00:30:00Z")
    assert then.status_code == 302 and "at=" in then.headers["Location"]
    assert claims_of(then.headers["Location"]).from_ms is not None
    assert call(client, elsewhere, "snapshot.jpg", at="2027-03-01T00:30:00Z").status_code == 404
    assert call(client, elsewhere, "snapshot.jpg", w="0").status_code == 400
    assert call(client, elsewhere, "snapshot.jpg", at="now").status_code == 400


CALLS = ["live/", "playback/", "clip.mp4", "playlist.m3u8", "snapshot.jpg"]


@pytest.mark.parametrize("what", CALLS)
def test_who_has_no_right_gets_404_and_who_is_nobody_401(what, stranger, api_of, camera):
    assert call(api_of(stranger), camera, what, **SPAN).status_code == 404
    assert call(APIClient(), camera, what, **SPAN).status_code == 401


def test_a_viewer_saves_no_clips(viewer, api_of, elsewhere):
    assert call(api_of(viewer), elsewhere, "clip.mp4", **SPAN).status_code == 403


def test_live_only_rights_open_no_recordings(stranger, api_of, elsewhere):
    assign_perm("cameras.view_live", stranger, elsewhere)
    client = api_of(type(stranger).objects.get(pk=stranger.pk))
    assert call(client, elsewhere, "live/").status_code == 200
    assert call(client, elsewhere, "playback/").status_code == 404
    assert call(client, elsewhere, "snapshot.jpg").status_code == 302
    assert call(client, elsewhere, "snapshot.jpg", at="2026-03-01T00:30:00Z").status_code == 404


def test_a_stream_that_is_not_there_gives_404(viewer, api_of, make_camera):
    camera = make_camera(sub_url="")
    answer = call(api_of(viewer), camera, "live/", stream="sub")
    assert answer.status_code == 404 and answer.json()["errors"][0]["code"] == "no_stream"


def test_handing_out_is_audited_once_a_minute(viewer, api_of, camera):
    client = api_of(viewer)
    for _ in range(3):
        call(client, camera, "live/")
    call(client, camera, "playback/")
    actions = AuditEntry.objects.filter(actor=viewer).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["media.live", "media.playback"]

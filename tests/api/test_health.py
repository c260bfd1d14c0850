from datetime import timedelta

from django.test import Client
from django.utils import timezone


def test_anybody_may_ask_whether_the_process_lives_and_learns_no_more(db):
    answer = Client(REMOTE_ADDR="10.1.1.1").get("/healthz")
    assert answer.status_code == 200 and answer.json() == {"status": "ok"}


def test_readiness_names_the_parts(server, redis_server):
    answer = Client().get("/readyz")
    assert answer.status_code == 200, answer.content
    assert {name: part["ok"] for name, part in answer.json()["parts"].items()} == {
        "database": True,
        "redis": True,
        "recorder": True,
    }


def test_a_silent_recorder_is_not_ready(server, redis_server):
    server.last_seen_at = timezone.now() - timedelta(minutes=1)
    server.save()
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["recorder"] == {"ok": False, "detail": "No report from main."}


def test_parts_and_figures_are_for_this_machine_and_for_who_may_see_servers(operator, viewer, api_of, server):
    for url in ("/readyz", "/metrics"):
        assert Client(REMOTE_ADDR="10.1.1.1").get(url).status_code in (401, 403)
        assert Client(HTTP_X_FORWARDED_FOR="127.0.0.1").get(url).status_code in (401, 403)
        assert api_of(viewer).get(url).status_code == 403
        assert api_of(operator).get(url).status_code in (200, 503)


def test_metrics_tell_state_rate_and_space(make_camera, server):
    from vms.servers.models import Volume

    camera = make_camera('The "old" gate')
    Volume.objects.create(server=server, path="/srv", capacity_bytes=10, free_bytes=4)
    text = Client().get("/metrics").content.decode()
    assert f'heron_camera_state{{camera="{camera.pk}",name="The \\"old\\" gate",state="recording"}} 1' in text
    assert f'heron_stream_fps{{camera="{camera.pk}",stream="main"}} 15' in text
    assert 'heron_volume_free_bytes{server="main",path="/srv"} 4' in text

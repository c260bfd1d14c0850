"""Coverage over the API: sums by local day, the last day of all cameras, many timelines at once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm

from recorder.models import Gap, Recording
from vms.cameras.models import Camera, Stream


@pytest.fixture
def old_camera(camera):
    Camera.objects.filter(pk=camera.pk).update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    Stream.objects.filter(camera=camera).update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    camera.refresh_from_db()
    return camera


def add_run(stream, start, end, epoch=1):
    return Recording.objects.create(
        stream=stream, server=stream.camera.server, epoch=epoch, started_at=start, ended_at=end
    )


def add_gap(stream, start, end, cause, epoch=1):
    return Gap.objects.create(
        stream=stream, server=stream.camera.server, epoch=epoch, started_at=start, ended_at=end, cause=cause
    )


def test_days_add_up_and_the_longest_gap_has_its_cause(viewer, api_of, old_camera):
    main = old_camera.streams.get(kind="main")
    now = timezone.now()
    add_run(main, now - timedelta(days=3), now - timedelta(hours=30))
    add_gap(main, now - timedelta(hours=30), now - timedelta(hours=28), "unreachable")
    add_gap(main, now - timedelta(hours=28), now - timedelta(hours=20), "schedule")
    add_run(main, now - timedelta(hours=20), now)
    url = f"/api/v1/cameras/{old_camera.pk}/coverage/"
    body = api_of(viewer).get(url, {"days": 3, "tz": "Europe/Berlin"}).json()
    assert len(body["days"]) == 3
    for day in body["days"]:
        told = day["recorded_s"] + sum(day["gaps"].values()) + day["before_s"] + day["ahead_s"]
        assert abs(told - day["length_s"]) < 0.001
    assert body["longest_gap"]["cause"] == "unreachable", "what is off by schedule is no gap to worry about"
    assert body["timezone"] == "Europe/Berlin" and body["stream"] == "main"
    assert body["footage_from"].startswith((now - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"))
    assert body["wanted_percent"] >= body["percent"]


def test_a_hole_within_a_run_is_told_as_a_gap(viewer, api_of, old_camera):
    main = old_camera.streams.get(kind="main")
    now = timezone.now()
    add_run(main, now - timedelta(days=4), now)
    add_gap(main, now - timedelta(hours=3), now - timedelta(hours=3) + timedelta(seconds=5), "bad_stream")
    body = api_of(viewer).get(f"/api/v1/cameras/{old_camera.pk}/coverage/", {"days": 2}).json()
    assert sum(day["gaps"].get("bad_stream", 0) for day in body["days"]) == 5
    assert body["longest_gap"]["cause"] == "bad_stream"
    assert 99.9 < body["percent"] < 100


@pytest.mark.parametrize(
    "query",
    [{"days": "0"}, {"days": "x"}, {"days": "400"}, {"tz": "Mars/Olympus"}, {"tz": "../etc"}, {"stream": "third"}],
)
def test_bad_questions_get_400(viewer, api_of, camera, query):
    answer = api_of(viewer).get(f"/api/v1/cameras/{camera.pk}/coverage/", query)
    assert answer.status_code == 400, answer.json()


def test_who_may_not_play_back_sees_no_coverage(stranger, api_of, camera):
    client = api_of(stranger)
    assert client.get(f"/api/v1/cameras/{camera.pk}/coverage/").status_code == 404
    assert client.get("/api/v1/coverage/").json()["cameras"] == []


def test_the_last_day_of_every_visible_camera(viewer, stranger, api_of, make_camera):
    now = timezone.now()
    whole, half = make_camera("A whole"), make_camera("Half")
    Camera.objects.update(created_at=now - timedelta(days=9))
    add_run(whole.streams.get(kind="main"), now - timedelta(days=2), now + timedelta(minutes=1))
    add_run(half.streams.get(kind="main"), now - timedelta(hours=12), now + timedelta(minutes=1))
    rows = api_of(viewer).get("/api/v1/coverage/").json()["cameras"]
    assert [row["camera"] for row in rows] == [str(whole.pk), str(half.pk)]
    assert rows[0]["percent"] == 100 and rows[1]["percent"] == pytest.approx(50, abs=0.1)
    ((first, last, cause),) = rows[1]["gaps"]
    assert (first, cause) == (0, "unknown") and last == pytest.approx(0.5, abs=0.001)
    assign_perm("cameras.view_playback", stranger, half)
    mine = api_of(type(stranger).objects.get(pk=stranger.pk)).get("/api/v1/coverage/").json()["cameras"]
    assert [row["camera"] for row in mine] == [str(half.pk)]


def test_many_timelines_cost_as_many_queries_as_one(viewer, stranger, api_of, make_camera):
    now = timezone.now()
    cameras = [make_camera(f"Camera {number}") for number in range(5)]
    Camera.objects.update(created_at=now - timedelta(days=9))
    for camera in cameras:
        main = camera.streams.get(kind="main")
        add_run(main, now - timedelta(hours=5), now - timedelta(hours=2))
        add_gap(main, now - timedelta(hours=2), now - timedelta(hours=1), "stalled")
        add_run(main, now - timedelta(hours=1), None)

    def ask(client, *wanted):
        query = {"cameras": ",".join(str(camera.pk) for camera in wanted),
                 "from": (now - timedelta(hours=4)).isoformat(), "to": now.isoformat()}  # fmt: skip
        return client.get("/api/v1/timeline/", query)

    counts = []
    for wanted in (cameras[:1], cameras):
        with CaptureQueriesContext(connection) as queries:
            answer = ask(api_of(viewer), *wanted)
        assert answer.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    body = answer.json()
    assert [row["camera"] for row in body["cameras"]] == [str(camera.pk) for camera in cameras]
    for row in body["cameras"]:
        assert len(row["recordings"]) == 2
        (gap,) = row["gaps"]
        assert body["reasons"][gap[2]]["cause"] == "stalled"
        assert gap[0] == row["recordings"][0][1] and gap[1] == row["recordings"][1][0]
    assert ask(api_of(stranger), *cameras).json()["cameras"] == []
    assert api_of(viewer).get("/api/v1/timeline/", {"cameras": "x"}).status_code == 400
    assert api_of(viewer).get("/api/v1/timeline/").status_code == 400

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from recorder.models import Gap, Recording, Segment
from vms.cameras.models import StreamStatus
from vms.servers.models import Volume

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return DAY + timedelta(seconds=seconds)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@pytest.fixture
def old_camera(camera):
    type(camera).objects.filter(pk=camera.pk).update(created_at=DAY)
    camera.refresh_from_db()
    return camera


@pytest.fixture
def main(old_camera):
    return old_camera.streams.get(kind="main")


def add_run(stream, start: float, end: float | None, epoch: int = 1) -> Recording:
    return Recording.objects.create(
        stream=stream, server=stream.camera.server, epoch=epoch, started_at=at(start),
        ended_at=None if end is None else at(end),
    )  # fmt: skip


def ask(client, camera, start=0.0, end=100.0, **query):
    return client.get(f"/api/v1/cameras/{camera.pk}/timeline/", {"from": iso(at(start)), "to": iso(at(end)), **query})


def test_recordings_and_gaps_with_cause(viewer, api_of, old_camera, main):
    add_run(main, 10, 40)
    add_run(main, 60, 90)
    Gap.objects.create(
        stream=main,
        server=old_camera.server,
        started_at=at(40),
        ended_at=at(60),
        cause="unreachable",
        detail="No answer.",
    )
    answer = ask(api_of(viewer), old_camera)
    assert answer.status_code == 200
    assert answer.json() == {
        "recordings": [
            {"start": "2026-03-01T00:00:10.000Z", "end": "2026-03-01T00:00:40.000Z"},
            {"start": "2026-03-01T00:01:00.000Z", "end": "2026-03-01T00:01:30.000Z"},
        ],
        "gaps": [
            {"start": "2026-03-01T00:00:00.000Z", "end": "2026-03-01T00:00:10.000Z", "cause": "unknown", "detail": ""},
            {"start": "2026-03-01T00:00:40.000Z", "end": "2026-03-01T00:01:00.000Z", "cause": "unreachable",
             "detail": "No answer."},
            {"start": "2026-03-01T00:01:30.000Z", "end": "2026-03-01T00:01:40.000Z", "cause": "unknown", "detail": ""},
        ],
        "motion": [],
        "bookmarks": [],
    }  # fmt: skip


def test_before_the_camera_was_added_is_told_as_such(viewer, api_of, old_camera, main):
    add_run(main, 0, 50)
    gaps = ask(api_of(viewer), old_camera, -100, 50).json()["gaps"]
    assert [(gap["cause"], gap["detail"]) for gap in gaps] == [("unknown", "Before the camera was added.")]


def test_the_open_run_reaches_to_now_while_frames_come_and_to_the_last_frame_after(viewer, api_of, old_camera, main):
    now = timezone.now()
    run = Recording.objects.create(
        stream=main, server=old_camera.server, epoch=1, started_at=now - timedelta(minutes=5)
    )
    client = api_of(viewer)
    query = {"from": iso(now - timedelta(minutes=4)), "to": iso(now + timedelta(hours=1))}
    url = f"/api/v1/cameras/{old_camera.pk}/timeline/"
    body = client.get(url, query).json()
    assert len(body["recordings"]) == 1 and body["gaps"] == []
    StreamStatus.objects.filter(stream=main).update(last_frame_at=now - timedelta(minutes=1))
    body = client.get(url, query).json()
    assert len(body["recordings"]) == 1 and len(body["gaps"]) == 1
    assert body["gaps"][0]["start"] == body["recordings"][0]["end"]
    assert run.ended_at is None


def test_a_run_that_a_crash_left_open_ends_with_its_last_segment(viewer, api_of, old_camera, main):
    crashed = add_run(main, 0, None)
    volume = Volume.objects.create(server=old_camera.server, path="/v")
    Segment.objects.create(
        stream=main, recording=crashed, volume=volume, epoch=1, started_at=at(0), ended_at=at(30), size_bytes=1,
        frame_count=1, keyframe_count=1,
    )  # fmt: skip
    add_run(main, 50, None)
    StreamStatus.objects.filter(stream=main).update(last_frame_at=at(90))
    recordings = ask(api_of(viewer), old_camera).json()["recordings"]
    assert [(row["start"][14:19], row["end"][14:19]) for row in recordings] == [
        ("00:00", "00:30"),
        ("00:50", "01:30"),
    ]


def test_a_switched_off_camera_and_a_silent_recorder_explain_the_tail(viewer, api_of, old_camera, main, server):
    add_run(main, 0, 50)
    server.last_seen_at = at(55)
    server.save()
    gaps = ask(api_of(viewer), old_camera).json()["gaps"]
    assert [gap["cause"] for gap in gaps] == ["unknown", "server_down"]
    type(old_camera).objects.filter(pk=old_camera.pk).update(is_enabled=False)
    gaps = ask(api_of(viewer), old_camera).json()["gaps"]
    assert [gap["cause"] for gap in gaps] == ["disabled"]


@pytest.mark.parametrize(
    ("query", "attr", "code"),
    [
        ({}, "from", "required"),
        ({"from": "2026-03-01T00:00:00Z"}, "to", "required"),
        ({"from": "yesterday", "to": "2026-03-01T00:00:00Z"}, "from", "bad_time"),
        ({"from": "2026-03-01T00:00:00", "to": "2026-03-01T00:00:00Z"}, "from", "no_zone"),
        ({"from": "2026-03-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to", "empty_span"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to", "empty_span"),
        ({"from": "2020-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to", "span_too_long"),
        ({"from": "0001-01-01T00:00:00+14:00", "to": "2026-03-01T00:00:00Z"}, "from", "bad_time"),
        ({"from": "9999-12-31T23:59:59-14:00", "to": "2026-03-01T00:00:00Z"}, "from", "bad_time"),
        (
            {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "stream": "third"},
            "stream",
            "invalid_choice",
        ),
        (
            {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "resolution_ms": "-1"},
            "resolution_ms",
            "invalid",
        ),
    ],
)
def test_bad_spans_get_400_that_says_what_is_wrong(viewer, api_of, camera, query, attr, code):
    answer = api_of(viewer).get(f"/api/v1/cameras/{camera.pk}/timeline/", query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == attr
    assert answer.json()["errors"][0]["code"] == code


def test_another_zone_and_a_lost_plus_are_understood(viewer, api_of, old_camera, main):
    add_run(main, 0, 100)
    url = f"/api/v1/cameras/{old_camera.pk}/timeline/?from=2026-03-01T01:00:00%2B01:00&to=2026-03-01T01:01:40+01:00"
    assert api_of(viewer).get(url).json()["gaps"] == []


def test_a_stream_that_the_camera_never_had_gives_404(viewer, api_of, make_camera):
    camera = make_camera(sub_url="")
    answer = ask(api_of(viewer), camera, stream="sub")
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "no_stream"


def test_who_may_not_play_back_sees_no_timeline(stranger, api_of, camera):
    assert ask(api_of(stranger), camera).status_code == 404
    assert ask(APIClient(), camera).status_code == 401


def test_a_year_of_runs_costs_as_many_queries_as_a_minute(viewer, api_of, old_camera, main):
    Recording.objects.bulk_create(
        Recording(
            stream=main,
            server=old_camera.server,
            epoch=1,
            started_at=at(i * 3600),
            ended_at=at(i * 3600 + 3599),
        )
        for i in range(2000)
    )
    client = api_of(viewer)

    def queries(end: float) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert ask(client, old_camera, 0, end).status_code == 200
        return len(caught)

    queries(60)
    assert queries(60) == queries(365 * 86400) <= 8
    wide = ask(client, old_camera, 0, 2000 * 3600, resolution_ms=60_000).json()
    assert len(wide["recordings"]) == 1

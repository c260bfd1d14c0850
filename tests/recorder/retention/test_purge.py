"""Purging: rows and files go together, runs shrink, every purged second is explained."""

import os
import uuid
from pathlib import Path

import pytest

from recorder.models import Gap, GarbageFile, Hold, Recording, RetentionRule, Segment
from recorder.retention import keeper
from recorder.retention.purge import drain_garbage, purge_segments
from recorder.retention.room import VolumeRoom
from tests.recorder.retention.archived import MINUTE, START, ids
from vms.events.models import Event

pytestmark = pytest.mark.django_db


def files(volume):
    return sorted(Path(root) / name for root, _, names in os.walk(volume.path) for name in names if name != "meta")


def test_the_oldest_minutes_go_and_are_explained(server, volume, recording):
    purge_segments(ids(recording, 0, 1, 2))
    assert drain_garbage(server.pk) == 3000
    assert len(files(volume)) == 7 and not GarbageFile.objects.exists()
    recording.refresh_from_db()
    assert recording.started_at == START + 3 * MINUTE
    (gap,) = Gap.objects.all()
    assert (gap.cause, gap.started_at, gap.ended_at) == ("purged", START, START + 3 * MINUTE)


def test_purging_on_makes_one_gap_longer(recording):
    purge_segments(ids(recording, 0, 1))
    purge_segments(ids(recording, 0, 1))
    (gap,) = Gap.objects.all()
    assert (gap.started_at, gap.ended_at) == (START, START + 4 * MINUTE)


def test_a_run_purged_in_its_middle_falls_in_two(recording):
    purge_segments(ids(recording, 4, 5))
    spans = list(Recording.objects.order_by("started_at").values_list("started_at", "ended_at"))
    assert spans == [(START, START + 4 * MINUTE), (START + 6 * MINUTE, START + 10 * MINUTE)]
    assert recording.segments.count() == 4, "the newest piece keeps the run's ID"


def test_a_run_of_which_nothing_is_left_is_gone(recording):
    purge_segments(ids(recording, *range(10)))
    assert not Recording.objects.exists() and not Segment.objects.exists()


def test_a_crash_between_row_and_file_leaves_garbage_that_the_next_round_takes(server, volume, recording):
    purge_segments(ids(recording, 0))
    assert len(files(volume)) == 10 and GarbageFile.objects.count() == 1
    keeper.keep_server(server.pk)
    assert len(files(volume)) == 9 and not GarbageFile.objects.exists()


def test_footage_over_the_maximum_age_goes_but_held_footage_stays(server, stream, volume, recording):
    RetentionRule.objects.create(max_days=9)
    Hold.objects.create(
        camera=stream.camera, started_at=START + 2.5 * MINUTE, ended_at=START + 4.5 * MINUTE, reason="theft"
    )
    keeper.keep_server(server.pk)
    left = list(Segment.objects.order_by("started_at").values_list("started_at", flat=True))
    assert left == [START + n * MINUTE for n in (2, 3, 4)]
    assert len(files(volume)) == 3


def test_the_closest_rule_counts(server, stream, recording):
    RetentionRule.objects.create(max_days=1)
    RetentionRule.objects.create(camera=stream.camera, max_days=30)
    keeper.keep_server(server.pk)
    assert Segment.objects.count() == 10


def test_a_quota_keeps_the_newest(server, recording):
    RetentionRule.objects.create(max_bytes=4000)
    keeper.keep_server(server.pk)
    assert list(Segment.objects.order_by("started_at").values_list("started_at", flat=True)) == [
        START + n * MINUTE for n in (6, 7, 8, 9)
    ]


def test_room_is_made_before_it_is_needed(server, volume, recording, monkeypatch):
    monkeypatch.setattr(keeper, "measure_rooms", lambda _: [VolumeRoom(str(volume.pk), 0, 2500)])
    keeper.keep_server(server.pk)
    assert Segment.objects.count() == 7


def test_only_held_footage_left_is_an_alarm_and_nothing_is_deleted(server, stream, volume, recording, monkeypatch):
    Hold.objects.create(camera=stream.camera, started_at=START, ended_at=START + 10 * MINUTE, reason="theft")
    monkeypatch.setattr(keeper, "measure_rooms", lambda _: [VolumeRoom(str(volume.pk), 0, 2500)])
    plan = keeper.keep_server(server.pk)
    assert Segment.objects.count() == 10 and plan.missing_bytes == {str(volume.pk): 2500}
    assert Event.objects.get().kind == "volume_full_of_held_footage"


def test_a_broken_promise_is_an_alarm(server, volume, recording, monkeypatch):
    RetentionRule.objects.create(min_days=30)
    monkeypatch.setattr(keeper, "measure_rooms", lambda _: [VolumeRoom(str(volume.pk), 0, 500)])
    keeper.keep_server(server.pk)
    assert Segment.objects.count() == 9
    assert Event.objects.get().kind == "retention_promise_broken"


def test_a_foreign_file_is_left_alone(server, volume, recording):
    foreign = Path(volume.path) / "holiday.jpg"
    foreign.write_bytes(b"mine")
    purge_segments(ids(recording, *range(10)))
    drain_garbage(server.pk)
    assert files(volume) == [foreign]
    assert uuid.UUID(str(volume.pk))

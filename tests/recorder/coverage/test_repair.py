"""The rows of the ledger are made whole: every second of a stream in exactly one row (DV, coverage ledger)."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from recorder.coverage.ledger import find_uncovered
from recorder.coverage.orphans import PATIENCE_S, OrphanEnder
from recorder.coverage.repair import SETTLE, LedgerKeeper, _read, to_us
from recorder.coverage.silence import beat
from recorder.models import CoverageMark, Gap, Recording, Segment, ServerSilence
from recorder.worker.disabled import open_gaps_of_disabled_streams
from vms.cameras import services
from vms.cameras.models import Camera, Stream
from vms.servers.local import ensure_local_server
from vms.servers.models import Server
from vms.servers.volumes import ensure_volume

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def now():
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def server():
    return ensure_local_server()


@pytest.fixture
def stream(server, now):
    camera = services.create_camera(actor=None, name="Gate", main_url="rtsp://10.0.0.9/main", server=server)
    Camera.objects.filter(pk=camera.pk).update(created_at=now - 60 * MINUTE)
    Stream.objects.update(created_at=now - 60 * MINUTE)
    return camera.streams.select_related("camera").get()


def add_run(stream, start, end, epoch=1):
    return Recording.objects.create(
        stream=stream, server=stream.camera.server, epoch=epoch, started_at=start, ended_at=end
    )


def add_gap(stream, start, end, cause, epoch=1):
    return Gap.objects.create(
        stream=stream, server=stream.camera.server, epoch=epoch, started_at=start, ended_at=end, cause=cause
    )


def spans(now, **filters):
    rows = Gap.objects.filter(**filters).order_by("started_at").values_list("started_at", "ended_at", "cause")
    return [
        ((start - now) / MINUTE, None if end is None else (end - now) / MINUTE, cause) for start, end, cause in rows
    ]


def uncovered(stream, now):
    runs, gaps = _read([stream], now - 60 * MINUTE, now - SETTLE)
    return find_uncovered(runs[stream.pk], gaps[stream.pk], to_us(now - 60 * MINUTE), to_us(now - SETTLE))


def test_what_nobody_explains_becomes_unknown_and_only_that(server, stream, now):
    add_run(stream, now - 50 * MINUTE, now - 30 * MINUTE)
    add_gap(stream, now - 30 * MINUTE, now - 25 * MINUTE, "stalled")
    add_run(stream, now - 20 * MINUTE, None)
    assert LedgerKeeper(server.pk).keep(now=now) == 2
    assert spans(now) == [(-60, -50, "unknown"), (-30, -25, "stalled"), (-25, -20, "unknown")]
    assert uncovered(stream, now) == []
    assert CoverageMark.objects.get().complete_until == now - SETTLE
    assert LedgerKeeper(server.pk).keep(now=now + MINUTE) == 0


def test_the_newest_minute_is_left_to_capture(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - timedelta(seconds=30))
    assert LedgerKeeper(server.pk).keep(now=now) == 0


def test_a_silent_server_explains_what_nothing_else_does(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - 40 * MINUTE)
    add_gap(stream, now - 35 * MINUTE, now - 30 * MINUTE, "unreachable")
    add_run(stream, now - 20 * MINUTE, None)
    ServerSilence.objects.create(server=server, started_at=now - 40 * MINUTE, ended_at=now - 22 * MINUTE)
    LedgerKeeper(server.pk).keep(now=now)
    assert spans(now) == [
        (-40, -35, "server_down"),
        (-35, -30, "unreachable"),
        (-30, -22, "server_down"),
        (-22, -20, "unknown"),
    ]


def test_a_heartbeat_after_a_long_silence_writes_it_down(server, now):
    beat(server.pk, now)
    assert beat(server.pk, now + timedelta(seconds=5)) is False
    assert beat(server.pk, now + 5 * MINUTE) is True
    silence = ServerSilence.objects.get()
    assert (silence.started_at, silence.ended_at) == (now + timedelta(seconds=5), now + 5 * MINUTE)
    assert Server.objects.get(pk=server.pk).last_seen_at == now + 5 * MINUTE


def test_a_stream_that_capture_does_not_deal_with_means_that_capture_is_down(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - 10 * MINUTE)
    LedgerKeeper(server.pk).keep(now=now, reported=lambda stream: False)
    assert spans(now) == [(-10, -1, "server_down")]


def test_a_late_row_takes_the_place_of_unknown(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - 40 * MINUTE)
    add_run(stream, now - 20 * MINUTE, None)
    keeper = LedgerKeeper(server.pk)
    keeper.keep(now=now)
    assert spans(now) == [(-40, -20, "unknown")]
    add_gap(stream, now - 40 * MINUTE, now - 30 * MINUTE, "server_down", epoch=0)
    add_run(stream, now - 30 * MINUTE, now - 25 * MINUTE)
    keeper.keep(now=now + MINUTE, touched={stream.pk: now - 40 * MINUTE})
    assert spans(now) == [(-40, -30, "server_down"), (-25, -20, "unknown")]
    assert uncovered(stream, now) == []


def test_a_gap_that_footage_cuts_in_two_stays_on_both_sides(server, stream, now):
    gap = add_gap(stream, now - 60 * MINUTE, now - 5 * MINUTE, "unreachable", epoch=0)
    add_run(stream, now - 30 * MINUTE, now - 20 * MINUTE)
    add_run(stream, now - 5 * MINUTE, None)
    LedgerKeeper(server.pk).keep(now=now)
    assert spans(now) == [(-60, -30, "unreachable"), (-20, -5, "unreachable")]
    assert Gap.objects.filter(pk=gap.pk).exists()


def test_a_gap_that_lasts_is_never_cut(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - 30 * MINUTE)
    gap = add_gap(stream, now - 31 * MINUTE, None, "unreachable")
    assert LedgerKeeper(server.pk).keep(now=now) == 0
    gap.refresh_from_db()
    assert gap.started_at == now - 31 * MINUTE and gap.ended_at is None


def test_a_run_that_nobody_writes_any_more_ends_with_its_last_segment(server, stream, now, tmp_path):
    run = add_run(stream, now - 60 * MINUTE, None)
    volume = ensure_volume(server, tmp_path / "archive")
    Segment.objects.create(
        stream=stream, recording=run, volume=volume, epoch=1, started_at=now - 60 * MINUTE,
        ended_at=now - 30 * MINUTE, size_bytes=1, frame_count=1, keyframe_count=1,
    )  # fmt: skip
    clock = [0.0]
    ender = OrphanEnder(server.pk, clock=lambda: clock[0])
    assert ender.end_orphans({str(run.pk)}) == {}
    assert ender.end_orphans(set()) == {}, "capture may only be starting"
    clock[0] += PATIENCE_S / 2
    assert ender.end_orphans({str(run.pk)}) == {}, "it was seen again: patience begins anew"
    ender.end_orphans(set())
    clock[0] += PATIENCE_S
    assert ender.end_orphans(set()) == {stream.pk: now - 30 * MINUTE}
    run.refresh_from_db()
    assert (run.ended_at, run.end_reason) == (now - 30 * MINUTE, "crashed")
    keeper = LedgerKeeper(server.pk)
    keeper.keep(now=now, touched={stream.pk: now - 30 * MINUTE}, reported=lambda stream: False)
    assert spans(now) == [(-30, -1, "server_down")]


def test_a_run_of_another_server_is_left_alone(server, stream, now):
    other = Server.objects.create(site=server.site, name="other")
    Recording.objects.create(stream=stream, server=other, epoch=1, started_at=now - MINUTE)
    clock = [0.0]
    ender = OrphanEnder(server.pk, clock=lambda: clock[0])
    ender.end_orphans(set())
    clock[0] += 10 * PATIENCE_S
    assert ender.end_orphans(set()) == {}


@pytest.mark.parametrize(
    ("changes", "cause"), [({"is_enabled": False}, "disabled"), ({"recording_mode": "off"}, "schedule")]
)
def test_a_camera_that_is_off_has_an_open_gap_from_where_its_ledger_ends(server, stream, now, changes, cause):
    add_run(stream, now - 60 * MINUTE, now - 30 * MINUTE)
    add_gap(stream, now - 30 * MINUTE, now - 25 * MINUTE, "unreachable")
    services.update_camera(actor=None, camera=stream.camera, **changes)
    assert open_gaps_of_disabled_streams(server.pk) == 1
    assert open_gaps_of_disabled_streams(server.pk) == 0
    assert spans(now, ended_at__isnull=True) == [(-25, None, cause)]
    assert LedgerKeeper(server.pk).keep(now=now) == 0


def test_a_camera_switched_off_while_its_server_was_down_is_explained_in_both_parts(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - 30 * MINUTE)
    services.update_camera(actor=None, camera=stream.camera, is_enabled=False)
    ServerSilence.objects.create(server=server, started_at=now - 30 * MINUTE, ended_at=now - 10 * MINUTE)
    open_gaps_of_disabled_streams(server.pk)
    LedgerKeeper(server.pk).keep(now=now)
    assert spans(now) == [(-30, -10, "server_down"), (-10, None, "disabled")]


def test_a_live_only_cameras_run_through_memory_is_no_footage(server, stream, now):
    Camera.objects.update(recording_mode="off")
    add_run(stream, now - 60 * MINUTE, now - 30 * MINUTE)
    buffered = add_run(stream, now - 30 * MINUTE, None)
    assert open_gaps_of_disabled_streams(server.pk) == 1
    assert not Recording.objects.filter(pk=buffered.pk).exists()
    assert spans(now) == [(-30, None, "schedule")]


def test_marks_are_kept_over_a_restart_and_a_day_is_looked_at_again(server, stream, now):
    add_run(stream, now - 60 * MINUTE, now - 40 * MINUTE)
    add_run(stream, now - 40 * MINUTE, None)
    LedgerKeeper(server.pk).keep(now=now)
    Recording.objects.filter(ended_at=now - 40 * MINUTE).update(ended_at=now - 45 * MINUTE)
    assert LedgerKeeper(server.pk).keep(now=now + MINUTE) == 1
    assert spans(now) == [(-45, -40, "unknown")]
    assert uuid.UUID(str(Gap.objects.get().pk))

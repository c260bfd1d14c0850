"""The journal becomes rows, each once, in order, however often it is read (DV02)."""

import uuid

import pytest
from django.db import transaction

from recorder.capture.journal import Journal, JournalReader
from recorder.models import Gap, Recording, Segment
from recorder.worker.drain import JournalDrain, utc_from_ns

pytestmark = pytest.mark.django_db
START_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal-0.sqlite")


@pytest.fixture
def reader(journal):
    return JournalReader(journal.path)


@pytest.fixture
def entries(camera, volume):
    run, stream = str(uuid.uuid4()), {"camera": str(camera.pk), "stream": "main", "epoch": 1}
    segments = [
        ("segment", {
            **stream, "run": run, "volume": str(volume.pk), "path": "x.mp4", "size_bytes": 1000, "frames": 900,
            "start_ns": START_NS + n * 60 * SECOND_NS, "end_ns": START_NS + (n + 1) * 60 * SECOND_NS, "keyframes": 30,
            "video_codec": "h264", "width_px": 1920, "height_px": 1080, "audio_codec": None,
        })
        for n in range(3)
    ]  # fmt: skip
    started = ("run_started", {**stream, "run": run, "started_ns": START_NS, "time_source": "server", "error_ms": 5})
    ended = ("run_ended", {"run": run, "ended_ns": START_NS + 180 * SECOND_NS, "reason": "lost"})
    gap = {**stream, "gap": str(uuid.uuid4()), "start_ns": START_NS + 180 * SECOND_NS, "cause": "stalled", "detail": ""}
    return [started, *segments, ended, ("gap", {**gap, "end_ns": None}),
            ("gap", {**gap, "end_ns": START_NS + 200 * SECOND_NS, "cause": "unreachable"})]  # fmt: skip


def rows():
    return [list(model.objects.order_by("started_at").values()) for model in (Recording, Segment, Gap)]


def test_runs_segments_and_gaps_become_rows(server, journal, reader, entries):
    journal.append(entries)
    assert JournalDrain(server.pk).drain(reader) == len(entries)
    (recording,) = Recording.objects.all()
    assert recording.end_reason == "lost" and recording.ended_at == utc_from_ns(START_NS + 180 * SECOND_NS)
    assert [row.frame_count for row in recording.segments.all()] == [900] * 3
    (gap,) = Gap.objects.all()
    assert gap.cause == "unreachable" and gap.ended_at == utc_from_ns(START_NS + 200 * SECOND_NS)


def test_entries_that_come_again_change_nothing(server, journal, reader, entries):
    journal.append(entries)
    JournalDrain(server.pk).drain(reader)
    before = rows()
    journal.append(entries)
    JournalDrain(server.pk).drain(reader)
    assert rows() == before


def test_a_failed_transaction_loses_no_entry(server, journal, reader, entries):
    journal.append(entries)
    with pytest.raises(RuntimeError), transaction.atomic():
        JournalDrain(server.pk)._write(reader.read(0, 100))
        raise RuntimeError
    assert rows() == [[], [], []]
    assert JournalDrain(server.pk).drain(reader) == len(entries)
    assert len(rows()[1]) == 3


def test_drained_entries_leave_the_journal(server, journal, reader, entries):
    journal.append(entries)
    JournalDrain(server.pk).drain(reader)
    assert reader.read(0, 100) == []


def test_footage_of_an_unknown_camera_stops_nobody(server, journal, reader, entries):
    stranger = ("gap", {"gap": str(uuid.uuid4()), "camera": str(uuid.uuid4()), "stream": "main", "epoch": 1,
                        "start_ns": START_NS, "end_ns": None, "cause": "stalled", "detail": ""})  # fmt: skip
    journal.append([stranger, *entries])
    JournalDrain(server.pk).drain(reader)
    assert Segment.objects.count() == 3 and Gap.objects.count() == 1


def test_a_gap_of_a_camera_that_was_off_ends_when_footage_begins(server, camera, journal, reader, entries):
    stream = camera.streams.get()
    Gap.objects.create(stream=stream, server=server, started_at=utc_from_ns(START_NS - SECOND_NS), cause="disabled")
    journal.append(entries[:1])
    JournalDrain(server.pk).drain(reader)
    assert Gap.objects.get().ended_at == utc_from_ns(START_NS)


def test_the_first_gap_of_a_stream_begins_when_it_was_added(server, camera, journal, reader):
    stream = camera.streams.get()
    later_ns = int((stream.created_at.timestamp() + 3) * SECOND_NS)
    gap = {"gap": str(uuid.uuid4()), "camera": str(camera.pk), "stream": "main", "epoch": 1, "start_ns": later_ns,
           "end_ns": None, "cause": "refused", "detail": ""}  # fmt: skip
    journal.append([("gap", gap), ("gap", {**gap, "end_ns": later_ns + SECOND_NS})])
    JournalDrain(server.pk).drain(reader)
    (row,) = Gap.objects.all()
    assert (row.started_at, row.ended_at) == (stream.created_at, utc_from_ns(later_ns + SECOND_NS))

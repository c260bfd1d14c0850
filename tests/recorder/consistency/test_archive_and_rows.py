"""Files and rows: every difference is told, and the rows can be made from the files alone."""

import os
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from recorder.archive.layout import segment_path
from recorder.consistency.compare import Difference, compare_archive
from recorder.consistency.rebuild import rebuild_rows
from recorder.fmp4 import SampleIndexBuilder, build_init, video_fragment_header
from recorder.models import Recording, Segment
from recorder.samples import VideoParameters
from vms.cameras.models import Camera

pytestmark = pytest.mark.django_db
START_MS = 1_790_000_000_000
JPEG = VideoParameters("mjpeg", 64, 48)


def write_segment(volume, camera_id, start_ms, seconds=10):
    """A whole segment of one frame a second, settled long ago."""
    path = segment_path(Path(volume.path), str(camera_id), "main", start_ms, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    content, index = bytearray(build_init(JPEG, None)), SampleIndexBuilder()
    for n in range(seconds):
        decode_time = (start_ms + n * 1000) * 90
        header = video_fragment_header(n + 1, decode_time, 90_000, 4, True, 0)
        index.add_video(len(content), len(content) + len(header), 4, decode_time, 90_000, 0, True)
        content += header + b"jpeg"
    content += index.trailer(len(content))
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)
    return path


@pytest.fixture
def archive(volume, camera, server):
    paths = [write_segment(volume, camera.pk, START_MS + n * 10_000) for n in (0, 1, 2, 5, 6)]
    rebuild_rows(server)
    return paths


def differences(server):
    return [finding.difference for finding in compare_archive(server.pk)]


def test_rows_are_made_from_files_alone(server, archive):
    assert Segment.objects.count() == 5 and differences(server) == []
    spans = Recording.objects.order_by("started_at").values_list("started_at", "ended_at")
    assert [(start.timestamp() * 1000 - START_MS, end.timestamp() * 1000 - START_MS) for start, end in spans] == [
        (0, 30_000), (50_000, 70_000),
    ]  # fmt: skip


def test_rebuilding_again_changes_nothing(server, archive):
    before = list(Segment.objects.order_by("pk").values()), list(Recording.objects.order_by("pk").values())
    assert rebuild_rows(server) == 0
    assert before == (list(Segment.objects.order_by("pk").values()), list(Recording.objects.order_by("pk").values()))


def test_a_camera_that_is_gone_from_the_database_comes_back_disabled(server, volume):
    unknown = "11111111-2222-4333-8444-555555555555"
    write_segment(volume, unknown, START_MS)
    rebuild_rows(server)
    camera = Camera.objects.get(pk=unknown)
    assert not camera.is_enabled and camera.streams.get().segments.count() == 1


def test_a_file_that_vanished_is_told(server, archive):
    archive[0].unlink()
    assert differences(server) == [Difference.ROW_WITHOUT_FILE]


def test_a_whole_stream_that_vanished_is_told(server, archive, volume):
    for path in archive:
        path.unlink()
    for root, _, _ in sorted(os.walk(volume.path), reverse=True):
        if root != volume.path:
            Path(root).rmdir()
    assert differences(server) == [Difference.ROW_WITHOUT_FILE] * 5


def test_a_file_of_another_size_is_told(server, archive):
    with archive[0].open("ab") as file:
        file.write(b"more")
    os.utime(archive[0], (time.time() - 60,) * 2)
    assert differences(server) == [Difference.SIZE_DIFFERS]


def test_foreign_files_are_told_and_left_alone(server, archive, volume):
    top, deep = Path(volume.path) / "holiday.jpg", archive[0].parent / "notes.txt"
    top.write_text("mine")
    deep.write_text("mine")
    assert sorted(differences(server)) == [Difference.FOREIGN_FILE] * 2
    rebuild_rows(server)
    assert top.exists() and deep.exists()


def test_an_unmounted_volume_is_told_instead_of_its_files(server, archive, volume):
    (Path(volume.path) / "meta").unlink()
    assert differences(server) == [Difference.VOLUME_MISSING]


def test_the_command_exits_with_1_when_they_differ(server, archive, capsys):
    call_command("check_archive")
    archive[0].unlink()
    with pytest.raises(SystemExit) as ended:
        call_command("check_archive", "--json")
    assert ended.value.code == 1 and '"row_without_file"' in capsys.readouterr().out

"""What is read back equals what the cameras sent: 16 cameras, both codecs, B-frames, sound, TCP and UDP, over segment
borders; 75 s, or 10 minutes with HERON_LONG=1."""

from __future__ import annotations

import itertools
import statistics
import time

import pytest

from tests.oracle.footage import read_footage
from tests.product import wait_for

from .plant import RECORDED_S, Plant, check_clip, check_exact, wait_for_ledger, whole_footage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * RECORDED_S + 300)]


@pytest.fixture(scope="module")
def recorded(plant: Plant) -> Plant:
    """The plant, once it has recorded long enough for a border in every stream."""

    def is_long_enough() -> bool:
        return time.monotonic() - plant.started_s >= RECORDED_S and all(
            len(plant.files(camera, stream)) >= 2 for camera in plant.cameras for stream in camera.streams
        )

    wait_for(is_long_enough, RECORDED_S + 70, "two segments of every stream")
    return plant


def test_segment_files_hold_what_was_sent_over_their_borders(recorded: Plant) -> None:
    assert recorded.runs() == recorded.first_runs, "a camera was connected anew"
    now_ns = time.time_ns()
    for camera in recorded.cameras:
        wait_for_ledger(camera.ledger, now_ns)
        for stream in camera.streams:
            files = recorded.files(camera, stream)
            whole = whole_footage(files)
            check_exact(camera, stream, whole, files)
            assert all(read_footage(path, max_frames=1).frames[0].is_keyframe for path in files)
            decoded_s = [frame.dts_s for frame in whole.frames]
            assert all(earlier < later for earlier, later in itertools.pairwise(decoded_s))


def test_clips_hold_what_was_sent_over_the_borders_of_segments(recorded: Plant) -> None:
    end_ns = time.time_ns()
    for camera in recorded.cameras:
        wait_for_ledger(camera.ledger, end_ns + 500_000_000)
        for stream in camera.streams:
            first = read_footage(recorded.files(camera, stream)[0], max_frames=1).frames[0]
            check_clip(recorded.product, camera, first.utc_ns + 1_500_000_000, end_ns, stream)


def test_time_in_the_archive_is_the_time_of_the_picture(recorded: Plant) -> None:
    """Segments carry absolute UTC on the camera's even clock; the stamps are real, so single ones are late where the
    simulator was. Pictures between B-frames are sent up to three picture intervals after the time they show."""
    for camera in recorded.cameras:
        for path in recorded.files(camera):
            errors = [float(frame.pts_s) - frame.utc_ns / 1e9 for frame in read_footage(path).frames]
            usual_limit_s = 0.1 + (3 / 15 if "B-frames" in camera.name else 0)
            assert abs(statistics.median(errors)) < usual_limit_s, f"{camera.name}: {path.name}"
            assert max(map(abs, errors)) < 1, f"{camera.name}: {path.name}"

"""Paths of segments: built and parsed strictly, and never out of the volume."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.archive.layout import (
    LATEST_EPOCH,
    LATEST_START_MS,
    SegmentName,
    parse_day,
    parse_hour,
    parse_segment_name,
    parse_segment_path,
    segment_path,
)

CAMERA = "8b9d6d2e-6a44-4e8e-9a67-3f9f0ce7c001"


def test_path_has_the_utc_day_and_hour_of_the_start():
    path = segment_path(Path("/v"), CAMERA, "main", 1_772_366_400_250, 7)
    assert path == Path(f"/v/{CAMERA}/main/2026-03-01/12/1772366400250-7.mp4")


def test_open_segment_ends_in_part():
    assert segment_path(Path("/v"), CAMERA, "sub", 0, 1, is_open=True).name == "0-1.mp4.part"


@given(st.integers(0, LATEST_START_MS - 1), st.integers(0, LATEST_EPOCH), st.booleans())
def test_every_path_reads_back(start_ms, epoch, is_open):
    path = segment_path(Path("/v"), CAMERA, "main", start_ms, epoch, is_open=is_open)
    assert parse_segment_path(path) == (CAMERA, "main", SegmentName(start_ms, epoch, is_open))
    assert parse_segment_name(path) == SegmentName(start_ms, epoch, is_open)


@pytest.mark.parametrize(
    "name",
    ["", "1-1.mp4.tmp", "01-1.mp4", "1-01.mp4", "-1-1.mp4", "1.mp4", "1-1.MP4", "١-1.mp4", "1-1.mp4 ", "1-1.mp4\n",
     "999999999999999-1.mp4", "1-9999999999999999999.mp4", ".1-1.mp4", "1-1.mp4.part.part"],
)  # fmt: skip
def test_foreign_names_are_no_segments(name):
    assert parse_segment_name(name) is None


def test_file_in_another_hours_directory_is_foreign():
    assert parse_segment_path(f"/v/{CAMERA}/main/2026-03-01/13/1772366400250-7.mp4") is None


@pytest.mark.parametrize("camera", ["..", "", "x/..", CAMERA.upper(), CAMERA.replace("-", ""), f"{CAMERA}/..", None, 7])
def test_camera_that_is_no_uuid_never_becomes_a_path(camera):
    with pytest.raises(ValueError, match="UUID"):
        segment_path(Path("/v"), camera, "main", 0, 1)


@pytest.mark.parametrize("stream", ["..", "", "main/..", "Main", "a" * 33, "main\n", "\0", None])
def test_stream_that_is_no_word_never_becomes_a_path(stream):
    with pytest.raises(ValueError, match="stream"):
        segment_path(Path("/v"), CAMERA, stream, 0, 1)


@pytest.mark.parametrize(("start_ms", "epoch"), [(-1, 1), (LATEST_START_MS, 1), (0, -1), (0, 2**63)])
def test_numbers_out_of_range_are_refused(start_ms, epoch):
    with pytest.raises(ValueError, match=r"segment|epoch"):
        segment_path(Path("/v"), CAMERA, "main", start_ms, epoch)


def test_foreign_days_and_hours_are_none():
    assert parse_day("1970-01-02") == 86_400_000
    assert [parse_day(name) for name in ("2026-02-30", "2026-1-1", "lost+found", "0001-01-01")] == [None] * 4
    assert [parse_hour(name) for name in ("00", "23", "24", "7", "x")] == [0, 23, None, None, None]

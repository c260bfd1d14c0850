"""Sync, rename, sync, journal: in this order, and nothing is trusted that a failed sync should have covered."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from recorder.capture.committer import Committer
from recorder.capture.desired import VolumeSpec
from recorder.capture.segment import OpenSegment, SegmentPlan
from recorder.samples import VideoParameters

CAMERA = "11111111-1111-1111-1111-111111111111"
START_NS = 1_790_000_000_000_000_000


class Stage:
    """A committer that is stepped by hand; the sync is watched, files and renames are real."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "meta").write_text('{"volume": "v"}')
        self.happened: list[str] = []
        self.salvaged: list[Path] = []
        self.sync_error: OSError | None = None
        self.committer = Committer(
            VolumeSpec("v", str(directory)),
            lambda kind, row: self.happened.append(f"row {row['n']}"),
            lambda volume, segment: self.salvaged.append(segment.path) or True,
            sync=self._sync,
        )

    def _sync(self, fd: int) -> None:
        finals = sorted(path.name for path in self.directory.rglob("*.mp4"))
        self.happened.append(f"sync with {len(finals)} renamed")
        if self.sync_error is not None:
            raise self.sync_error

    def segment(self, number: int) -> OpenSegment:
        plan = SegmentPlan(
            "k",
            CAMERA,
            "main",
            1,
            "r",
            START_NS + number * 10**9,
            b"init",
            VideoParameters("h264", 2, 2),
            None,
            None,
        )
        segment = OpenSegment(plan, lambda *_: None)
        segment.open(self.directory)
        self.committer.opened(segment)
        return segment

    def close(self, segment: OpenSegment, number: int) -> None:
        segment.abandon()
        self.committer.closed(segment, {"n": number})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_row_is_written_after_the_sync_that_covers_the_rename(stage: Stage) -> None:
    segment = stage.segment(1)
    stage.close(segment, 1)
    assert segment.path.exists()
    assert stage.committer.commit()
    assert segment.final_path.exists()
    assert not segment.path.exists()
    stage.committer.commit()
    assert stage.happened == ["sync with 0 renamed", "sync with 1 renamed", "row 1"]


def test_open_files_are_synced_and_not_renamed(stage: Stage) -> None:
    segment = stage.segment(1)
    assert not stage.committer.commit()
    assert segment.path.exists()
    segment.abandon()


def test_a_failed_sync_is_not_retried_as_if_it_had_worked(stage: Stage) -> None:
    closed, still_open = stage.segment(1), stage.segment(2)
    stage.close(closed, 1)
    stage.sync_error = OSError(errno.EIO, "Input/output error")
    stage.committer.commit()
    assert stage.committer.is_suspect
    stage.sync_error = None
    stage.committer.commit()
    stage.close(still_open, 2)
    stage.committer.commit()
    stage.committer.commit()
    assert not [event for event in stage.happened if event.startswith("row")]
    assert closed.path.exists() and still_open.path.exists()
    stage.committer._salvage_failed()
    assert stage.salvaged == [closed.path, still_open.path]
    assert not stage.committer.is_suspect


def test_a_rename_that_no_sync_covered_is_looked_at_again(stage: Stage) -> None:
    segment = stage.segment(1)
    stage.close(segment, 1)
    stage.committer.commit()
    stage.sync_error = OSError(errno.EIO, "Input/output error")
    stage.committer.commit()
    stage.sync_error = None
    stage.committer.commit()
    assert not [event for event in stage.happened if event.startswith("row")]
    stage.committer._salvage_failed()
    assert stage.salvaged == [segment.final_path]


def test_a_taken_name_is_passed_over(stage: Stage) -> None:
    first, second = stage.segment(1), stage.segment(1)
    assert second.start_ms == first.start_ms + 1
    first.abandon()
    second.abandon()

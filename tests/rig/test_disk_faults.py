"""F20 to F27: a volume is full, broken, read-only, gone, swapped, slow. What lies on it stays; recording goes on
elsewhere within 2 s.

One recorder with a camera for each volume; all volumes but the spare one go wrong at the same moment, each in its
own way, and are
mended later. Full and vanished disks are real ones (tmpfs, ext4 on loop devices); errors of single calls come from
the shim.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recorder.capture.desired import StreamSpec
from tests.oracle.verdict import read_ledger
from tests.recorder.capture.shard_process import wait_until
from tests.recorder.simcam.fixtures import SimcamProcess
from tests.rig.conftest import SIZES, Disks
from tests.rig.disks import MIB, LoopDisk
from tests.rig.recorder import Recorder
from tests.rig.shim import SHORT_WRITE, find_compiler
from tests.rig.verdicts import Fault, StreamVerdict, journal_gaps, journal_rows, judge_stream, segment_files

pytestmark = pytest.mark.slow

SEGMENT_S = 2
SALVAGED_WITHIN_S = 25
"""Salvage tries again every 10 s; a disk that was mounted anew is found by it."""
REAL_DISKS = ("nearly_full", "full", "no_inodes", "read_only", "unmounted", "swapped", "swapped_too")
SHIMMED = ("no_room", "short_writes", "bad_writes", "bad_sync_once", "bad_syncs", "slow", "hanging")
FULL, LOST = "disk_full", "disk_lost"


@dataclass
class Day:
    """What happened on each volume, for all tests of the module."""

    recorder: Recorder
    cameras: SimcamProcess
    paths: dict[str, Path]
    specs: dict[str, StreamSpec]
    started_s: float
    ended_s: float
    log: str
    hits: dict[str, int] = field(default_factory=dict)
    moved_s: dict[str, float] = field(default_factory=dict)
    below_mount_point: list[Path] = field(default_factory=list)
    wrong_disk_changed: set[str] = field(default_factory=set)
    torn: list[Path] = field(default_factory=list)

    def judge(self, name: str, *causes: str, at_most_s: float) -> StreamVerdict:
        """Every hole explained by a right cause, lost at most `at_most_s` in all, each file as its entry says."""
        spec = self.specs[name]
        sent, _ = read_ledger(self.cameras.ledger, f"{list(self.specs).index(name) + 1}/main")
        journal = self.recorder.home.journal(0)
        gaps = journal_gaps([journal], spec.camera, "main", self.ended_s)
        files = segment_files(self.paths.values(), spec.camera, "main")
        faults = [Fault(self.started_s, self.started_s, frozenset(causes), settle_s=20)] if causes else []
        verdict = judge_stream(files, gaps, sent, faults=faults, with_causes=True, end_s=self.ended_s - 2)
        assert not [path for path in self.torn if path.is_relative_to(self.paths[name])]
        assert verdict.is_explained(), (name, verdict.complaints(), gaps)
        in_gaps = sum(gap.length_s for gap in gaps if gap.start_s > verdict.parts[0].start_s)
        assert in_gaps <= at_most_s, (name, in_gaps, gaps)
        if not at_most_s:
            assert not verdict.lost, (name, verdict.frames.lost)
        entries = {row["path"]: row["size_bytes"] for row in journal_rows(journal, "segment")}
        for part in verdict.parts:
            path = spec.camera + str(part.path).split(spec.camera, 1)[1]
            assert entries.get(path) == part.path.stat().st_size, path
        return verdict


def _make_day(directory: Path, disks: Disks) -> Iterator[Day]:
    loops: dict[str, LoopDisk] = {}
    # The spare volume comes first: it is the one that streams move to.
    paths = {"spare": disks.directory_of("spare")}
    tmpfs = {name: disks.tmpfs(name, **({"inodes": 150} if name == "no_inodes" else {})) for name in REAL_DISKS[:3]}
    for name in REAL_DISKS[3:]:
        loops[name] = disks.ext4(name, size_bytes=48 * MIB)
    paths |= {name: disk.path for name, disk in {**tmpfs, **loops}.items()}
    paths |= {name: disks.directory_of(name) for name in SHIMMED}
    cameras = SimcamProcess(directory, len(paths), *SIZES)
    recorder = Recorder(directory, list(paths.values()))
    shim = recorder.shim
    try:
        specs = {
            name: recorder.want(
                number, cameras.url(number), segment_s=SEGMENT_S, volume=recorder.volumes[number - 1].id
            )
            for number, name in enumerate(paths, 1)
        }
        recorder.apply()
        recorder.start()
        recorder.wait_for("recording", *specs.values(), timeout_s=30)
        for spec in specs.values():
            recorder.wait_rows("segment", spec, timeout_s=30)
        started_s = time.time()
        tmpfs["nearly_full"].fill(keep_bytes=4 * MIB)
        tmpfs["full"].fill()
        tmpfs["no_inodes"].take_inodes()
        loops["read_only"].remount_read_only()
        loops["unmounted"].unmount()
        on_wrong_disk = _names(paths["swapped"])
        _swap(loops["swapped"], loops["swapped_too"])
        struck_s = time.time()  # unmounting and swapping took their time
        rules = {
            "no_room": shim.fill(paths["no_room"]),
            "short_writes": shim.strike(
                f"{paths['short_writes']}/", ("writev", "write"), error=SHORT_WRITE, percent=50
            ),
            "bad_writes": shim.break_disk(paths["bad_writes"]),
            "bad_sync_once": shim.strike(paths["bad_sync_once"], ("syncfs",), error=errno.EIO, times=1),
            "bad_syncs": shim.strike(paths["bad_syncs"], ("syncfs", "fsync"), error=errno.EIO),
            "slow": shim.strike(paths["slow"], ("writev",), delay_ms=500),
            "hanging": shim.strike(paths["hanging"], ("writev", "write", "open"), delay_ms=60_000),
        }
        leaving = [name for name in paths if name not in ("spare", "short_writes", "bad_sync_once", "slow")]
        moved_s: dict[str, float] = {}

        def all_moved() -> bool:
            for name in leaving:
                if name not in moved_s and recorder.volume_of(specs[name]) == paths["spare"]:
                    moved_s[name] = time.time() - (struck_s if name in rules else started_s)
            return len(moved_s) == len(leaving)

        # The verdict on each comes later: a volume that is never left shall not hide the others.
        until_s = time.monotonic() + 12
        wait_until(lambda: all_moved() or time.monotonic() > until_s, 15, "the streams move")
        for spec in specs.values():
            recorder.wait_frames(spec, 20)
        below = list(paths["unmounted"].iterdir())
        # What the disk's own writer still does with its open file is a rename at most.
        changed = _names(paths["swapped_too"]) ^ on_wrong_disk
        hits = {name: shim.hits(rule) for name, rule in rules.items()}
        shim.lift()
        for name in ("nearly_full", "full"):
            (paths[name] / "filler").unlink()
        shutil.rmtree(paths["no_inodes"] / "many")
        loops["read_only"].unmount()
        loops["read_only"].mount()
        loops["unmounted"].mount()
        _swap(loops["swapped"], loops["swapped_too"])
        until_s = time.monotonic() + SALVAGED_WITHIN_S
        wait_until(lambda: not _torn(recorder) or time.monotonic() > until_s, 60, "torn files are salvaged")
        torn = _torn(recorder)
        ended_s = time.time()
        recorder.stop()
        cameras.stop()
        yield Day(
            recorder,
            cameras,
            paths,
            specs,
            started_s,
            ended_s,
            recorder.tail(10**6),
            hits,
            moved_s,
            below,
            changed,
            torn,
        )
    finally:
        recorder.end()
        if cameras.process.poll() is None:
            cameras.stop()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, module_disks: Disks) -> Iterator[Day]:
    if find_compiler() is None:
        pytest.skip("the shim needs a C compiler")
    yield from _make_day(tmp_path_factory.mktemp("disks"), module_disks)


def _names(volume: Path) -> set[str]:
    """Files below a volume, open or closed."""
    return {
        str(path.relative_to(volume)).removesuffix(".part")
        for path in volume.rglob("*")
        if not path.name.startswith(".trial")
    }


def _swap(first: LoopDisk, second: LoopDisk) -> None:
    first.unmount()
    second.unmount()
    first.path, second.path = second.path, first.path
    first.mount()
    second.mount()


def _torn(recorder: Recorder) -> list[Path]:
    """Open files that nobody writes or commits any more: a segment's length and three syncs have passed."""
    current = {link.resolve() for link in recorder.home.live.iterdir()}
    before_ms = (time.time() - SEGMENT_S - 4) * 1000
    return [
        path for volume in recorder.volumes for path in Path(volume.path).rglob("*.part")
        if path.resolve() not in current and int(path.name.split("-")[0]) < before_ms
    ]  # fmt: skip


def test_a_good_volume_among_broken_ones_loses_nothing(day: Day) -> None:
    day.judge("spare", at_most_s=0)


def test_f20_disk_filled_by_others_is_left_before_a_frame_is_lost(day: Day) -> None:
    assert day.moved_s["nearly_full"] < 4  # a second to notice, then the next keyframe
    day.judge("nearly_full", FULL, at_most_s=0)


def test_f20_disk_filled_to_the_last_byte_costs_about_a_second(day: Day) -> None:
    assert day.moved_s["full"] < 3
    day.judge("full", FULL, at_most_s=1.6)


def test_f21_write_that_finds_no_room_is_salvaged(day: Day) -> None:
    assert day.hits["no_room"]
    assert day.moved_s["no_room"] < 3
    day.judge("no_room", FULL, at_most_s=1.6)


def test_f21_short_writes_are_continued(day: Day) -> None:
    assert day.hits["short_writes"] > 10
    day.judge("short_writes", at_most_s=0)


def test_f22_disk_without_inodes_is_left(day: Day) -> None:
    assert day.moved_s["no_inodes"] < SEGMENT_S + 3  # noticed when the next segment is opened
    day.judge("no_inodes", FULL, at_most_s=1.6)


def test_f23_disk_turned_read_only_is_left(day: Day) -> None:
    assert day.moved_s["read_only"] < 3
    # What the file system had not written before it gave up is gone; what it said to have synced isn't.
    day.judge("read_only", LOST, at_most_s=3.2)


def test_f24_disk_with_io_errors_is_left(day: Day) -> None:
    assert day.moved_s["bad_writes"] < 3
    day.judge("bad_writes", LOST, at_most_s=1.6)


def test_f24_failed_sync_is_not_taken_for_one_that_worked(day: Day) -> None:
    """One syncfs fails: what it should have covered is read again from the disk before the journal names it."""
    assert day.hits["bad_sync_once"] == 1
    assert "bad_sync_once: sync failed" in day.log
    day.judge("bad_sync_once", LOST, at_most_s=0)


def test_f24_volume_whose_syncs_fail_is_left(day: Day) -> None:
    assert day.hits["bad_syncs"] >= 1
    assert day.moved_s["bad_syncs"] < 5
    day.judge("bad_syncs", LOST, at_most_s=0)


def test_f25_unmounted_disk_is_not_written_to_its_mount_point(day: Day) -> None:
    assert day.moved_s["unmounted"] < SEGMENT_S + 4
    assert not day.below_mount_point
    day.judge("unmounted", LOST, at_most_s=1.6)


def test_f26_swapped_disks_are_refused_and_stay_intact(day: Day) -> None:
    assert not day.wrong_disk_changed
    for name in ("swapped", "swapped_too"):
        assert day.moved_s[name] < SEGMENT_S + 4
        day.judge(name, LOST, at_most_s=1.6)


def test_f27_slow_disk_is_buffered_without_loss(day: Day) -> None:
    """Half a second for each write: fewer, larger writes make up for it."""
    assert day.hits["slow"] > 5
    day.judge("slow", at_most_s=0)


def test_f27_hanging_disk_is_left_and_keeps_what_it_was_given(day: Day) -> None:
    assert day.moved_s["hanging"] < 5
    day.judge("hanging", LOST, "overload", at_most_s=1.0)


def test_all_volumes_gone_is_said_and_recording_resumes_when_one_is_back(
    recorder: Callable[..., Recorder], simcam: Callable, disks: Disks
) -> None:
    cameras = simcam(2, *SIZES)
    broken = recorder([disks.directory_of("first"), disks.directory_of("second")])
    specs = [broken.want(number, cameras.url(number), segment_s=SEGMENT_S) for number in (1, 2)]
    broken.apply()
    broken.start()
    broken.wait_for("recording", *specs)
    for volume in broken.volumes:
        broken.shim.break_disk(volume.path)
    broken.wait_for("error", *specs, timeout_s=8)
    assert all(broken.stream(spec).state_detail for spec in specs)
    broken.shim.lift()
    broken.wait_for("recording", *specs, timeout_s=10)
    for spec in specs:
        assert "disk_lost" in {row["cause"] for row in broken.rows("gap", spec)}

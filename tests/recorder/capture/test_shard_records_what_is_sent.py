"""Byte for byte what the camera sent, over segment borders, and at the right time."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import pytest

from tests.oracle.footage import read_footage
from tests.oracle.verdict import find_sound, judge, read_ledger
from tests.recorder.capture.shard_process import ShardProcess, wait_until

SIZES = ("--size", "320x180", "--sub-size", "160x90", "--kbit-s", "200", "--gop-s", "1", "--fps", "15")


@pytest.mark.parametrize(
    "options",
    [
        ("--codec", "h264", "--audio", "aac"),
        ("--codec", "h264", "--audio", "g711", "--b-frames", "2"),
        ("--codec", "h265", "--audio", "none", "--b-frames", "2"),
    ],
    ids=lambda options: "-".join(option for option in options if not option.startswith("-")),
)
def test_archive_equals_the_ledger(
    shard: Callable[..., ShardProcess], simcam: Callable, options: tuple[str, ...]
) -> None:
    cameras = simcam(1, *SIZES, *options)
    capture = shard()
    main = capture.want(1, cameras.url(1, "main"))
    sub = capture.want(1, cameras.url(1, "sub"), stream="sub")
    capture.apply()
    capture.start()
    capture.wait_for("recording", main, sub)
    wait_until(lambda: len(capture.rows("segment", main)) >= 3, 20, "three segments committed")
    assert capture.stop() < 3
    cameras.stop()
    for spec, name in ((main, "1/main"), (sub, "1/sub")):
        files = capture.files(spec)
        rows = capture.rows("segment", spec)
        assert [row["path"].rsplit("/", 1)[1] for row in rows] == [path.name for path in files]
        sent, sent_sound = read_ledger(cameras.ledger, name)
        footage = [read_footage(path) for path in files]
        frames = [frame for part in footage for frame in part.frames]
        verdict = judge(frames, sent)
        assert verdict.is_exact, verdict
        assert frames[0].counter == sent[0].counter
        assert verdict.worst_time_error_s < 0.3  # B-frames are stamped when sent, shown later
        assert [row["frames"] for row in rows] == [len(part.frames) for part in footage]
        decode = [frame.dts_s for frame in frames]
        assert all(earlier < later for earlier, later in itertools.pairwise(decode))
        for earlier, later in itertools.pairwise(rows):
            assert earlier["end_ns"] == later["start_ns"]
            assert earlier["run"] == later["run"]
        sound = [unit.sha256 for part in footage for unit in part.units]
        if sent_sound and options[3] == "aac":
            assert find_sound(sound, [unit.sha256 for unit in sent_sound]) is not None
        elif sent_sound:
            assert sound
    ended = capture.rows("run_ended")
    assert {row["reason"] for row in ended} == {"stopped"}
    assert len(ended) == len(capture.rows("run_started")) == 2
    assert not list(capture.home.live.iterdir())


def test_sound_stays_with_the_picture(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(1, *SIZES, "--audio", "aac")
    capture = shard()
    main = capture.want(1, cameras.url(1, "main"))
    capture.apply()
    capture.start()
    capture.wait_for("recording", main)
    wait_until(lambda: len(capture.rows("segment", main)) >= 3, 20, "three segments committed")
    capture.stop()
    cameras.stop()
    _, sent = read_ledger(cameras.ledger, "1/main")
    taken = {unit.sha256: unit.utc_ns for unit in sent}
    errors = []
    for path in capture.files(main):
        for unit in read_footage(path).units:
            errors.append(float(unit.pts_s) - taken[unit.sha256] / 1e9)
    assert len(errors) > 50
    assert max(errors) - min(errors) < 0.15
    assert max(map(abs, errors)) < 0.25


def test_files_are_whole_and_their_size_is_journaled(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    main = capture.want(1, cameras.url(1, "main"))
    capture.apply()
    capture.start()
    wait_until(lambda: len(capture.rows("segment", main)) >= 2, 20, "two segments committed")
    link = capture.home.live / main.key
    assert link.resolve().suffix == ".part"
    capture.stop()
    for row, path in zip(capture.rows("segment", main), capture.files(main), strict=True):
        assert path.stat().st_size == row["size_bytes"]
        assert hashlib.sha256(path.read_bytes()).digest()
    assert not list(capture.files(main)[0].parent.glob("*.part"))

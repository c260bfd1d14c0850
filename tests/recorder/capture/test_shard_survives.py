"""Kills, lost cameras and lost volumes: what was committed stays, what is missing is explained."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.oracle.footage import read_footage, read_many
from tests.oracle.verdict import judge, read_ledger
from tests.recorder.capture.shard_process import ShardProcess, wait_until

SIZES = ("--size", "320x180", "--sub-size", "160x90", "--kbit-s", "200", "--gop-s", "1", "--audio", "none")


def test_kill_loses_no_segment_and_little_tail(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(2, *SIZES)
    capture = shard()
    specs = [capture.want(number, cameras.url(number)) for number in (1, 2)]
    capture.apply()
    capture.start()
    capture.wait_for("recording", *specs)
    wait_until(lambda: all(capture.rows("segment", spec) for spec in specs), 20, "segments committed")
    committed = capture.rows("segment")
    capture.kill()
    killed_ns = time.time_ns()
    capture.start()
    capture.wait_for("recording", *specs)
    wait_until(
        lambda: len([row for row in capture.rows("run_ended") if row["reason"] == "crashed"]) == 2,
        10,
        "the killed runs ended",
    )
    for row in committed:
        assert (Path(capture.volumes[0].path) / row["path"]).stat().st_size == row["size_bytes"]
    for spec in specs:
        rows = capture.rows("segment", spec)
        salvaged = [row for row in rows if row["end_ns"] < killed_ns + 500_000_000]
        assert killed_ns - max(row["end_ns"] for row in salvaged) < 1_000_000_000
        down = [row for row in capture.rows("gap", spec) if row["cause"] == "server_down" and row["end_ns"]]
        assert down[0]["start_ns"] == max(row["end_ns"] for row in salvaged)
        began = list(capture.rows("run_started", spec))[-1]["started_ns"]
        assert max(row["end_ns"] for row in down) == began
        assert began - killed_ns < 3_000_000_000
    capture.stop()
    cameras.stop()
    for number, spec in enumerate(specs, 1):
        assert not list((Path(capture.volumes[0].path) / spec.camera).rglob("*.part"))
        sent, _ = read_ledger(cameras.ledger, f"{number}/main")
        frames = read_many(capture.files(spec))
        verdict = judge(frames, sent)
        assert not (verdict.changed or verdict.repeated or verdict.disordered or verdict.unstamped)
        assert len(capture.rows("segment", spec)) == len(capture.files(spec))


def test_a_dropped_connection_is_taken_up_at_once_and_explained(
    shard: Callable[..., ShardProcess], simcam: Callable
) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    main = capture.want(1, cameras.url(1))
    capture.apply()
    capture.start()
    capture.wait_for("recording", main)
    wait_until(lambda: capture.stream(main).frames > 15 * 11, 20, "eleven good seconds")
    cameras.inject(1, "reset")
    wait_until(lambda: capture.stream(main).reconnects == 1, 5, "the drop is seen")
    wait_until(lambda: len(capture.rows("run_started", main)) == 2, 5, "a second run")
    lost, began = (
        capture.rows("run_ended", main) or capture.rows("run_ended"),
        capture.rows("run_started", main)[1],
    )
    gap = capture.rows("gap", main)[-1]
    assert lost[0]["reason"] == "lost"
    assert (gap["start_ns"], gap["end_ns"], gap["cause"]) == (
        lost[0]["ended_ns"],
        began["started_ns"],
        "unreachable",
    )
    assert gap["end_ns"] - gap["start_ns"] < 2_000_000_000


def test_a_change_of_size_cuts_the_segment_and_loses_nothing(
    shard: Callable[..., ShardProcess], simcam: Callable
) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    main = capture.want(1, cameras.url(1), segment_s=60)
    capture.apply()
    capture.start()
    capture.wait_for("recording", main)
    wait_until(lambda: capture.stream(main).frames > 20, 10, "some frames")
    cameras.inject(1, "size 640x360")
    wait_until(lambda: capture.stream(main).width_px == 640, 15, "the new size")
    wait_until(lambda: capture.stream(main).last_frame_ns > capture.stream(main).last_keyframe_ns, 5, "more frames")
    capture.stop()
    cameras.stop()
    footage = [read_footage(path) for path in capture.files(main)]
    assert [part.width_px for part in footage] == [320, 640]
    assert [row["width_px"] for row in capture.rows("segment", main)] == [320, 640]
    sent, _ = read_ledger(cameras.ledger, "1/main")
    assert judge([frame for part in footage for frame in part.frames], sent).is_exact


def test_jumping_timestamps_lose_no_frame(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    main = capture.want(1, cameras.url(1), segment_s=60)
    capture.apply()
    capture.start()
    capture.wait_for("recording", main)
    cameras.inject(1, "timestamp 5:3000000000 12:-40000 20:900000")
    wait_until(lambda: capture.stream(main).discontinuities >= 3, 15, "three jumps straightened")
    wait_until(lambda: capture.stream(main).frames > 80, 15, "more frames")
    capture.stop()
    cameras.stop()
    sent, _ = read_ledger(cameras.ledger, "1/main")
    verdict = judge(read_many(capture.files(main)), sent)
    assert verdict.is_exact, verdict
    assert verdict.worst_time_error_s < 0.15


def test_a_lost_volume_moves_the_streams_to_the_other(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard(volumes=2)
    main = capture.want(1, cameras.url(1), segment_s=2)
    capture.apply()
    capture.start()
    capture.wait_for("recording", main)
    first, second = (Path(volume.path) for volume in capture.volumes)
    (first / "meta").unlink()  # as an unmounted disk shows
    wait_until(lambda: list(second.rglob("*.mp4")), 20, "segments on the other volume")
    assert capture.stream(main).state == "recording"
    causes = {row["cause"] for row in capture.rows("gap", main)}
    assert "disk_lost" in causes


def test_without_any_volume_the_state_says_so_and_recovers(
    shard: Callable[..., ShardProcess], simcam: Callable
) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    meta = Path(capture.volumes[0].path) / "meta"
    content = meta.read_text()
    meta.unlink()
    main = capture.want(1, cameras.url(1))
    capture.apply()
    capture.start()
    capture.wait_for("error", main)
    assert "isn't mounted" in capture.stream(main).state_detail
    assert not list(meta.parent.iterdir())  # nothing was written to what may be the root file system
    meta.write_text(content)
    capture.wait_for("recording", main, timeout_s=15)

"""Adding, editing and deleting a camera takes effect within 2 s and disturbs no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.oracle.footage import read_many
from tests.oracle.verdict import judge, read_ledger
from tests.recorder.capture.shard_process import ROOT, ShardProcess, wait_until

SIZES = ("--size", "320x180", "--sub-size", "160x90", "--kbit-s", "200", "--gop-s", "1", "--audio", "none")


def test_edit_and_delete_leave_the_others_alone(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(3, *SIZES)
    capture = shard()
    steady = capture.want(1, cameras.url(1))
    edited = capture.want(2, cameras.url(2))
    capture.apply()
    capture.start()
    capture.wait_for("recording", steady, edited)
    run = capture.stream(steady).run

    added = capture.want(3, cameras.url(3))
    capture.apply()
    assert capture.wait_for("recording", added) < 2.5

    capture.streams[edited.key] = replace(edited, url=cameras.url(3, "sub"), segment_s=5)
    capture.apply()
    wait_until(lambda: any(row["reason"] == "settings" for row in capture.rows("run_ended")), 2, "the old run ended")
    capture.wait_for("recording", edited)

    del capture.streams[added.key]
    capture.apply()
    assert wait_until(lambda: capture.stream(added) is None, 2, "the stream is gone") < 2
    assert not (capture.home.live / added.key).exists()

    assert capture.stream(steady).run == run
    assert capture.stream(steady).reconnects == 0
    capture.stop()
    cameras.stop()
    sent, _ = read_ledger(cameras.ledger, "1/main")
    assert judge(read_many(capture.files(steady)), sent).is_exact
    reasons = [row["reason"] for row in capture.rows("run_ended")]
    assert sorted(reasons) == ["settings", "stopped", "stopped", "stopped"]


def test_a_shard_waits_for_its_desired_state(shard: Callable[..., ShardProcess]) -> None:
    capture = shard()
    capture.start()
    wait_until(lambda: capture.status() is not None, 10, "a status file")
    assert capture.status().streams == []
    assert capture.stop() < 3


def test_a_second_shard_of_the_same_number_says_so(shard: Callable[..., ShardProcess]) -> None:
    capture = shard()
    capture.start()
    wait_until(lambda: capture.status() is not None, 10, "a status file")
    first, log = capture.process, capture.log
    capture.start()
    assert capture.process.wait(10) == 3
    assert "shard 0 runs already" in log.read_text()
    capture.process = first


def test_a_broken_desired_state_keeps_the_former_one(shard: Callable[..., ShardProcess], simcam: Callable) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    main = capture.want(1, cameras.url(1))
    capture.apply()
    capture.start()
    capture.wait_for("recording", main)
    capture.home.desired.write_text("{")
    wait_until(lambda: "can't be read" in capture.log.read_text(), 5, "a line in the log")
    assert capture.is_in("recording", main)


def test_cameras_that_fail_say_why_and_leave_the_others_alone(
    shard: Callable[..., ShardProcess], simcam: Callable
) -> None:
    secret = ROOT / "no-such-file"
    cameras = simcam(2, *SIZES)
    cameras.inject(2, "401")
    capture = shard()
    good = capture.want(1, cameras.url(1))
    locked = capture.want(2, cameras.url(2), username="root", password="hunter2-canary")
    refused = capture.want(3, "rtsp://127.0.0.1:1/x")
    local = capture.want(4, f"file://{secret}")
    capture.apply()
    capture.start()
    capture.wait_for("recording", good)
    capture.wait_for("unauthorized", locked)
    capture.wait_for("refused", refused)
    wait_until(lambda: (status := capture.stream(local)) and status.error_code == "bad_scheme", 5, "bad_scheme")
    wait_until(
        lambda: {row["cause"] for row in capture.rows("gap", locked)} >= {"unauthorized"},
        5,
        "the gap's cause",
    )
    seen = capture.log.read_text() + capture.home.status(0).read_text() + str(capture.entries())
    assert "hunter2-canary" not in seen
    assert capture.stream(good).reconnects == 0

"""F37 to F41 and the clock faults F44 to F47, on capture alone: a frozen, starved or crippled process, a broken
journal, a wrong clock."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recorder.capture.desired import StreamSpec
from tests.oracle.verdict import read_ledger
from tests.recorder.capture.shard_process import wait_until
from tests.rig.conftest import SIZES
from tests.rig.recorder import Recorder
from tests.rig.verdicts import Fault, StreamVerdict, journal_gaps, journal_rows, judge_stream, segment_files

pytestmark = pytest.mark.slow


def _start(recorder: Recorder, cameras: object, count: int = 2, *, segment_s: int = 2) -> list[StreamSpec]:
    specs = [recorder.want(number, cameras.url(number), segment_s=segment_s) for number in range(1, count + 1)]
    recorder.apply()
    recorder.start()
    recorder.wait_for("recording", *specs, timeout_s=20)
    return specs


def _judge(
    recorder: Recorder, cameras: object, spec: StreamSpec, number: int, faults: list[Fault] | None = None
) -> StreamVerdict:
    """After everything has stopped."""
    sent, _ = read_ledger(cameras.ledger, f"{number}/main")
    gaps = journal_gaps([recorder.home.journal(0)], spec.camera, "main", time.time() + 10)
    files = segment_files([recorder.volume_path()], spec.camera, "main")
    return judge_stream(files, gaps, sent, faults=faults or [], with_causes=faults is not None)


def test_f37_frozen_capture_records_again_when_it_goes_on(recorder: Callable[..., Recorder], simcam: Callable) -> None:
    """Frozen for 6 s: the cameras drop it or wait; what they still sent is kept, what they dropped lies in a gap."""
    cameras, capture = simcam(2, *SIZES), recorder()
    specs = _start(capture, cameras)
    frozen_s = time.time()
    capture.freeze()
    wait_until(lambda: time.time() > frozen_s + 6, 10, "it is frozen for a while")
    capture.thaw()
    for spec in specs:
        capture.wait_frames(spec, 30)
    capture.stop()
    cameras.stop()
    for number, spec in enumerate(specs, 1):
        faults = [
            Fault(
                frozen_s, frozen_s + 6, frozenset({"stalled", "unreachable", "overload", "server_down", "bad_stream"})
            )
        ]
        verdict = _judge(capture, cameras, spec, number, faults)
        assert not verdict.frames.repeated
        assert not verdict.frames.disordered
        assert verdict.is_explained(), verdict.complaints()


def test_f38_without_descriptors_new_work_is_refused_and_running_work_goes_on(
    recorder: Callable[..., Recorder], simcam: Callable
) -> None:
    cameras, capture = simcam(4, *SIZES), recorder()
    specs = _start(capture, cameras, segment_s=60)
    used = len(os.listdir(f"/proc/{capture.process.pid}/fd"))
    soft, hard = resource.prlimit(capture.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(capture.process.pid, resource.RLIMIT_NOFILE, (used, hard))
    late = [capture.want(number, cameras.url(number), segment_s=60) for number in (3, 4)]
    capture.apply()
    # Not even the status file can be written then, so the log tells, and the files show that recording goes on.
    wait_until(lambda: "Too many open files" in capture.tail(), 15, "the log says so")
    live = [(capture.home.live / spec.key).resolve() for spec in specs]
    sizes = [path.stat().st_size for path in live]
    wait_until(lambda: all(path.stat().st_size > size + 30_000 for path, size in zip(live, sizes, strict=True)), 15,
               "running streams go on")  # fmt: skip
    resource.prlimit(capture.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    capture.wait_for("recording", *specs, *late, timeout_s=20)
    capture.stop()
    cameras.stop()
    for number, spec in enumerate(specs, 1):
        verdict = _judge(capture, cameras, spec, number)
        assert verdict.is_explained(), verdict.complaints()
        assert not verdict.lost


def test_f39_starved_of_processor_time_capture_loses_nothing(
    recorder: Callable[..., Recorder], simcam: Callable
) -> None:
    cameras, capture = simcam(2, *SIZES), recorder()
    specs = _start(capture, cameras)
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
        for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        for spec in specs:
            capture.wait_frames(spec, 60)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    capture.stop()
    cameras.stop()
    for number, spec in enumerate(specs, 1):
        verdict = _judge(capture, cameras, spec, number)
        assert verdict.is_explained(), verdict.complaints()
        assert not verdict.lost


def test_f40_corrupt_journal_is_set_aside_and_costs_no_footage(
    recorder: Callable[..., Recorder], simcam: Callable
) -> None:
    cameras, capture = simcam(2, *SIZES), recorder()
    specs = _start(capture, cameras)
    for spec in specs:
        capture.wait_rows("segment", spec)
    capture.kill()
    journal = capture.home.journal(0)
    for suffix in ("-wal", "-shm"):
        journal.with_name(journal.name + suffix).unlink(missing_ok=True)
    size = journal.stat().st_size
    with journal.open("r+b") as file:
        file.write(os.urandom(size))
    capture.start()
    capture.wait_for("recording", *specs, timeout_s=10)
    for spec in specs:
        capture.wait_rows("segment", spec)
    wait_until(lambda: not _stale_parts(capture), 10, "what was open is salvaged")
    capture.stop()
    cameras.stop()
    assert list(journal.parent.glob("*.corrupt-*"))
    for number, spec in enumerate(specs, 1):
        verdict = _judge(capture, cameras, spec, number)
        assert not verdict.unreadable
        assert not (verdict.frames.repeated or verdict.frames.disordered or verdict.frames.changed)
        sent, _ = read_ledger(cameras.ledger, f"{number}/main")
        seen = {frame.counter for part in verdict.parts for frame in part.frames}
        killed_at = capture.started_s[1]
        before = [frame for frame in sent if frame.counter not in seen and frame.utc_ns / 1e9 < killed_at - 2]
        assert len(before) <= 15, "more than a second of what was there before the kill is gone"


def _stale_parts(capture: Recorder) -> list[Path]:
    return [
        path
        for path in capture.volume_path().rglob("*.part")
        if int(path.name.split("-")[0]) < capture.started_s[-1] * 1000
    ]


def test_full_journal_disk_stops_no_recording_and_is_made_up_for(
    recorder: Callable[..., Recorder], simcam: Callable
) -> None:
    cameras, capture = simcam(2, *SIZES), recorder()
    specs = _start(capture, cameras)
    rule = capture.shim.fill(capture.home.journal(0))
    wait_until(lambda: (status := capture.status()) and status.is_journal_failing, 15, "the journal fails")
    files = {spec.key: len(capture.files(spec)) for spec in specs}
    for spec in specs:
        capture.wait_frames(spec, 60)
    assert capture.shim.hits(rule)
    capture.shim.lift()
    wait_until(lambda: not capture.status().is_journal_failing, 10, "it works again")
    capture.stop()
    cameras.stop()
    for number, spec in enumerate(specs, 1):
        verdict = _judge(capture, cameras, spec, number)
        assert verdict.is_explained(), verdict.complaints()
        assert not verdict.lost
        assert len(capture.files(spec)) > files[spec.key]
        assert len(capture.rows("segment", spec)) == len(capture.files(spec))


def test_f41_poison_stream_hurts_only_itself(recorder: Callable[..., Recorder], simcam: Callable) -> None:
    """Garbage without end: that camera is tried less and less often, its neighbour notices nothing."""
    cameras, capture = simcam(2, *SIZES), recorder()
    poisoned, healthy = _start(capture, cameras)
    cameras.inject(1, "endless-header")
    cameras.inject(1, "reset")
    before = capture.stream(poisoned).reconnects
    started_s = time.monotonic()
    wait_until(lambda: capture.stream(poisoned).reconnects >= before + 3, 30, "it fails a few times")
    waited_s = time.monotonic() - started_s
    assert waited_s > 2, f"three attempts in {waited_s:.1f} s: no pause between them"
    assert capture.process.poll() is None
    cameras.inject(1, "resume")
    capture.wait_for("recording", poisoned, healthy, timeout_s=40)
    capture.stop()
    cameras.stop()
    verdict = _judge(capture, cameras, healthy, 2)
    assert verdict.is_explained(), verdict.complaints()
    assert not verdict.lost


@pytest.mark.parametrize("step_s", [3600, -3600], ids=["an hour on", "an hour back"])
def test_f44_clock_step_cuts_the_run_and_loses_nothing(
    recorder: Callable[..., Recorder], simcam: Callable, step_s: int
) -> None:
    cameras, capture = simcam(1, *SIZES), recorder()
    (spec,) = _start(capture, cameras, 1)
    capture.wait_frames(spec, 30)
    capture.shim.set_clock(step_s)
    wait_until(lambda: (status := capture.status()) and status.clock_steps == 1, 5, "the step is seen")
    wait_until(lambda: len(capture.rows("run_started", spec)) == 2, 8, "a new run")
    capture.wait_frames(spec, 45)
    capture.stop()
    cameras.stop()
    sent, _ = read_ledger(cameras.ledger, "1/main")
    assert "clock_step" in {row["reason"] for row in journal_rows(capture.home.journal(0), "run_ended")}
    parts = judge_stream(capture.files(spec), [], sent).parts
    seen = [frame for part in parts for frame in part.frames]
    counters = sorted(frame.counter for frame in seen)
    assert counters == list(range(counters[0], counters[-1] + 1)), "frames were lost or doubled"
    errors = [
        min(abs(float(frame.pts_s) - frame.utc_ns / 1e9), abs(float(frame.pts_s) - frame.utc_ns / 1e9 - step_s))
        for frame in seen
    ]
    assert max(errors) < 0.2
    began = [row["started_ns"] / 1e9 for row in capture.rows("run_started", spec)]
    assert abs(began[1] - began[0] - step_s) < 20
    if step_s > 0:
        gaps = [gap for gap in journal_gaps([capture.home.journal(0)], spec.camera, "main", 0) if gap.length_s > 1]
        assert [gap.cause for gap in gaps] == ["clock_step"], gaps


def test_f45_boot_in_1970_records_at_once_and_is_re_anchored(
    recorder: Callable[..., Recorder], simcam: Callable
) -> None:
    cameras, capture = simcam(1, *SIZES), recorder()
    capture.shim.set_clock(-time.time() + 120)  # two minutes after the epoch
    (spec,) = _start(capture, cameras, 1)
    assert not capture.status().is_clock_trusted
    capture.wait_frames(spec, 45)
    capture.shim.set_clock(0)  # NTP answers
    wait_until(lambda: (status := capture.status()) and status.is_clock_trusted, 5, "the clock is trusted")
    wait_until(lambda: len(capture.rows("run_started", spec)) == 2, 8, "a new run")
    capture.wait_frames(spec, 45)
    capture.stop()
    cameras.stop()
    first, second = capture.rows("run_started", spec)
    assert first["time_source"] == "untrusted"
    assert second["time_source"] == "server"
    assert abs(second["started_ns"] / 1e9 - time.time()) < 30
    sent, _ = read_ledger(cameras.ledger, "1/main")
    parts = judge_stream(capture.files(spec), [], sent).parts
    counters = sorted(frame.counter for part in parts for frame in part.frames)
    assert counters == list(range(counters[0], counters[-1] + 1)), "frames were lost or doubled"


def test_f46_slow_drift_is_followed_without_a_cut(recorder: Callable[..., Recorder], simcam: Callable) -> None:
    """The server's clock runs 500 ppm fast: 3 ms in these 6 s, no step, no gap, nothing lost."""
    cameras, capture = simcam(1, *SIZES), recorder()
    capture.shim.drift(500)
    (spec,) = _start(capture, cameras, 1)
    capture.wait_frames(spec, 15 * 6, timeout_s=30)
    capture.stop()
    cameras.stop()
    assert len(capture.rows("run_started", spec)) == 1
    verdict = _judge(capture, cameras, spec, 1)
    assert verdict.is_explained(), verdict.complaints()
    assert not verdict.lost
    assert verdict.frames.worst_time_error_s < 0.2


def test_f47_paths_are_utc_whatever_the_zone_of_the_server(recorder: Callable[..., Recorder], simcam: Callable) -> None:
    """On the night when clocks go back in Berlin (and by half an hour on Lord Howe) there is one 02:30 in the
    archive."""
    night = datetime(2026, 10, 25, 0, 59, 57, tzinfo=UTC)  # 02:59:57 in Berlin, three seconds before it is 02:00 again
    cameras, capture = simcam(1, *SIZES), recorder()
    capture.environment["TZ"] = "Europe/Berlin"
    capture.shim.set_clock(night.timestamp() - time.time())
    (spec,) = _start(capture, cameras, 1)
    capture.wait_frames(spec, 15 * 6)
    capture.stop()
    cameras.stop()
    hours = {path.parent.name for path in capture.files(spec)}
    assert hours == {"00", "01"}, hours
    rows = capture.rows("segment", spec)
    assert all(earlier["end_ns"] == later["start_ns"] for earlier, later in itertools.pairwise(rows))
    assert len(capture.rows("run_started", spec)) == 1

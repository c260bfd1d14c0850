"""`make soak MINUTES=n`: the long versions of the rig's tests, and a random walk that composes all faults; JSON
lines on stdout.

    python -m tests.rig.soak --minutes 10 [--seed 1] [--only kills,cuts,walk]

The time is shared out: kills (at most 200), power cuts (at most 100), the walk. Each line is one result; the exit
code is 1 when
a goal was missed. A seed gives the same choices again (not the same timing).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.oracle.verdict import read_ledger
from tests.recorder.capture.shard_process import wait_until
from tests.recorder.simcam.fixtures import SimcamProcess
from tests.rig.conftest import SIZES, Disks
from tests.rig.crashes import CrashSeries
from tests.rig.disks import can_mount
from tests.rig.recorder import Recorder
from tests.rig.shim import SHORT_WRITE
from tests.rig.verdicts import Fault, journal_gaps, judge_stream, segment_files

MAX_KILLS = 200
MAX_CUTS = 100
CAMERAS = 8
CAUSE_GOAL = 0.98


def report(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def run_crashes(kind: str, until_s: float, limit: int, rng: random.Random, directory: Path, disks: Disks) -> bool:
    cameras = SimcamProcess(directory, CAMERAS, *SIZES)
    with ExitStack() as stack:
        stack.callback(cameras.stop)
        if kind == "cuts":
            system, archive = disks.ext4("system", size_bytes=256 << 20), disks.ext4("archive", size_bytes=1 << 30)
            recorder = Recorder(directory, [archive.path], home=system.path / "home")
            series = CrashSeries(recorder, cameras, CAMERAS, rng, disks=[system, archive])
            crash = series.cut_power
        else:
            recorder = Recorder(directory, [disks.directory_of("volume")])
            series = CrashSeries(recorder, cameras, CAMERAS, rng)
            crash = series.kill
        stack.callback(recorder.end)
        series.start()
        while len(series.crashes_s) < limit and time.monotonic() < until_s:
            crash()
        figures = series.finish()
    tail_goal_s = 2.0 if kind == "cuts" else 1.0
    is_good = (
        not figures["lost_segments"] and not figures["unreadable_files"] and figures["tail_max_s"] <= tail_goal_s
        and (kind == "cuts" or figures["back_p99_s"] <= 2.0) and not figures["complaints"]
    )  # fmt: skip
    report(soak=kind, ok=is_good, **{**figures, "complaints": figures["complaints"][:5]})
    return is_good


class Walk:
    """One fault after another, several at a time, on one recorder with three volumes; everything goes into the
    fault log."""

    def __init__(self, recorder: Recorder, cameras: SimcamProcess, rng: random.Random, count: int) -> None:
        self.recorder, self.cameras, self.rng = recorder, cameras, rng
        self.specs = [
            recorder.want(number, cameras.url(number), segment_s=5, volume=recorder.volumes[number % 3].id)
            for number in range(1, count + 1)
        ]
        self.everywhere: list[Fault] = []
        self.of_camera: dict[int, list[Fault]] = {number: [] for number in range(1, count + 1)}
        self.steps: Counter[str] = Counter()

    def step(self) -> None:
        name = self.rng.choice(
            ["stall", "reset", "close", "half-open", "garbage", "453", "timestamp", "size", "kill", "freeze",
             "disk_full",
             "disk_error", "disk_slow", "short_writes", "sync_error"]
        )  # fmt: skip
        self.steps[name] += 1
        length_s = self.rng.uniform(0.5, 6)
        now_s = time.time()
        if name in ("stall", "reset", "close", "half-open", "garbage", "453", "timestamp", "size"):
            self._camera(name, self.rng.randint(1, len(self.specs)), now_s, length_s)
        elif name == "kill":
            self.everywhere.append(Fault(now_s, now_s + 1, frozenset({"server_down"})))
            self.recorder.kill()
            self.recorder.start()
        elif name == "freeze":
            self.everywhere.append(
                Fault(now_s, now_s + length_s, frozenset({"stalled", "unreachable", "bad_stream", "overload"}))
            )
            self.recorder.freeze()
            wait_until(lambda: time.time() > now_s + length_s, 10, "it is frozen")
            self.recorder.thaw()
        else:
            self._disk(name, now_s, length_s)

    def _camera(self, name: str, number: int, now_s: float, length_s: float) -> None:
        causes = {
            "stall": {"stalled"}, "half-open": {"stalled", "unreachable"}, "453": {"busy", "unreachable"},
            "garbage": {"bad_stream", "unreachable", "stalled"},
        }.get(name, {"unreachable", "stalled"})  # fmt: skip
        self.of_camera[number].append(Fault(now_s, now_s + length_s, frozenset(causes), settle_s=35))
        command = {
            "timestamp": f"timestamp 5:{self.rng.randint(-10**9, 10**9)}", "reset": "reset", "close": "close",
            "size": f"size {self.rng.choice(['640x360', '320x180', '480x270'])}",
        }.get(name, f"{name}@0s,{length_s:.1f}s")  # fmt: skip
        self.cameras.inject(number, command)
        if name == "453":
            self.cameras.inject(number, "reset")

    def _disk(self, name: str, now_s: float, length_s: float) -> None:
        volume = self.rng.choice(self.recorder.volumes).path
        shim = self.recorder.shim
        causes = {"disk_full"} if name == "disk_full" else {"disk_lost", "overload"}
        if name == "disk_full":
            rule = shim.fill(volume)
        elif name == "disk_error":
            rule = shim.break_disk(volume)
        elif name == "disk_slow":
            rule = shim.strike(volume, ("writev",), delay_ms=self.rng.randint(50, 1500))
        elif name == "short_writes":
            rule = shim.strike(f"{volume}/", ("writev", "write"), error=SHORT_WRITE, percent=30)
        else:
            rule = shim.strike(volume, ("syncfs",), error=5, times=1)
        self.everywhere.append(Fault(now_s, now_s + length_s, frozenset(causes), settle_s=15))
        wait_until(lambda: time.time() > now_s + length_s, 10, "the disk is broken for a while")
        shim.lift(rule)

    def rest(self) -> None:
        until_s = time.monotonic() + self.rng.uniform(0.2, 4)
        wait_until(lambda: time.monotonic() >= until_s, 10, "the next fault")

    def judge(self, started_s: float) -> bool:
        """C8: all record within a minute after the last fault; then the archive."""
        settled_s = wait_until(lambda: self.recorder.is_in("recording", *self.specs), 60, "all cameras record again")
        for spec in self.specs:
            self.recorder.wait_frames(spec, 30)
        until_s = time.monotonic() + 22  # salvage looks every 10 s
        wait_until(lambda: time.monotonic() >= until_s, 30, "salvage")
        ended_s = time.time()
        self.recorder.stop()
        self.cameras.stop()
        gaps_told = wrong = lost = frames = 0
        complaints: list[str] = []
        wrong_rows: list[str] = []
        for number, spec in enumerate(self.specs, 1):
            sent, _ = read_ledger(self.cameras.ledger, f"{number}/main")
            gaps = journal_gaps([self.recorder.home.journal(0)], spec.camera, "main", ended_s)
            files = segment_files([Path(volume.path) for volume in self.recorder.volumes], spec.camera, "main")
            faults = [*self.everywhere, *self.of_camera[number]]
            verdict = judge_stream(files, gaps, sent, faults=faults, with_causes=True, end_s=ended_s - 1)
            gaps_told += sum(gap.length_s > 0.2 and gap.start_s > started_s for gap in gaps)
            wrong += len(verdict.wrong_causes)
            wrong_rows += [
                f"{number}: {gap.cause} {gap.length_s:.2f} s at {gap.start_s - started_s:.1f} s"
                for gap in verdict.wrong_causes
            ]
            verdict.wrong_causes = []
            lost += verdict.lost
            frames += verdict.frames.frames
            complaints += [f"{number}: {text}" for text in verdict.complaints()]
        share = 1 - wrong / max(1, gaps_told)
        is_good = not complaints and share >= CAUSE_GOAL
        report(soak="walk", ok=is_good, seconds=round(ended_s - started_s), steps=dict(self.steps), frames=frames,
               lost_in_gaps=lost,
               gaps=gaps_told, right_causes=round(share, 4), settled_s=round(settled_s, 1), wrong=wrong_rows[:8],
               complaints=complaints[:8])  # fmt: skip
        return is_good


def run_walk(until_s: float, rng: random.Random, directory: Path, disks: Disks) -> bool:
    cameras = SimcamProcess(directory, CAMERAS, *SIZES)
    recorder = Recorder(
        directory, [disks.directory_of(f"volume-{number}") for number in range(3)], seed=rng.randint(1, 10**6)
    )
    with ExitStack() as stack:
        stack.callback(cameras.stop)
        stack.callback(recorder.end)
        walk = Walk(recorder, cameras, rng, CAMERAS)
        recorder.apply()
        recorder.start()
        recorder.wait_for("recording", *walk.specs, timeout_s=30)
        started_s = time.time()
        while time.monotonic() < until_s:
            walk.step()
            walk.rest()
        return walk.judge(started_s)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="soak", description="The rig's long runs")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="kills,cuts,walk")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    share_s = options.minutes * 60 / len(names)
    results = []
    memory = Path("/dev/shm")
    for name in names:
        rng = random.Random(f"{options.seed} {name}")
        directory = Path(tempfile.mkdtemp(prefix="heron-soak-"))
        disks = Disks(Path(tempfile.mkdtemp(prefix="heron-soak-", dir=memory if memory.is_dir() else None)))
        until_s = time.monotonic() + share_s
        try:
            if name == "walk":
                results.append(run_walk(until_s, rng, directory, disks))
            elif name == "cuts" and not can_mount():
                report(soak="cuts", ok=None, skipped="mounting disks needs root and loop devices")
            else:
                limit = MAX_CUTS if name == "cuts" else MAX_KILLS
                results.append(run_crashes(name, until_s, limit, rng, directory, disks))
        except AssertionError as err:
            report(soak=name, ok=False, error=str(err)[-2000:])
            results.append(False)
        finally:
            disks.close()
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A recorder that is crashed again and again, and the sums over all crashes. Used by the tests and by `make soak`."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import Any

from tests.oracle.verdict import read_ledger
from tests.recorder.capture.shard_process import wait_until
from tests.rig.disks import LoopDisk, restore, snapshot
from tests.rig.recorder import Recorder
from tests.rig.verdicts import Fault, journal_gaps, journal_rows, judge_stream, segment_files

HELD_S = 0.3
"""A stream says that it records after its first samples were held for a moment; they are recorded too."""
DOWN = frozenset({"server_down"})


class CrashSeries:
    """`disks`: what a power cut takes with it (home and volumes). Segments are 1 s long, so each crash meets
    commits."""

    def __init__(self, recorder: Recorder, cameras: Any, count: int, rng: random.Random, *,
                 disks: list[LoopDisk] | None = None) -> None:  # fmt: skip
        self.recorder = recorder
        self.cameras = cameras
        self.rng = rng
        self.disks = disks or []
        self.specs = [recorder.want(number, cameras.url(number), segment_s=1) for number in range(1, count + 1)]
        self.crashes_s: list[float] = []
        self.committed: dict[str, int] = {}
        """Path below the volume to size, of every segment that the journal ever named."""
        self.lost_segments: list[str] = []
        self.since_s: list[dict[str, float]] = []
        """Before each crash, from when on each stream was recorded: what was never recorded is no tail."""
        self._recording_since_s: dict[str, float] = {}

    def start(self) -> None:
        self.recorder.apply()
        self.recorder.start()
        self._wait_recording()

    def kill(self) -> None:
        self._record_for_a_while()
        self._note_committed()
        self.crashes_s.append(time.time())
        self.since_s.append(dict(self._recording_since_s))
        self.recorder.kill()
        self._check_committed()
        self._restart()

    def cut_power(self) -> None:
        self._record_for_a_while()
        self._note_committed()
        images = snapshot(self.disks)
        self.crashes_s.append(time.time())
        self.since_s.append(dict(self._recording_since_s))
        self.recorder.kill()
        for disk, image in zip(self.disks, images, strict=True):
            disk.unmount()
            restore(disk, image)
            disk.mount()
        self.recorder.home.make_directories()
        self._check_committed()
        self._restart()

    def _restart(self) -> None:
        self.recorder.start()
        self._wait_recording()

    def _record_for_a_while(self) -> None:
        """A random moment, but one at which every stream has something to lose."""
        until_s = time.monotonic() + self.rng.uniform(0.2, 1.7)
        wait_until(lambda: time.monotonic() >= until_s, 5, "the moment of the crash")

    def _wait_recording(self) -> None:
        self.recorder.wait_for("recording", *self.specs, timeout_s=30)
        for stream in self.recorder.status().streams:
            self._recording_since_s[stream.key] = stream.since_ns / 1e9 - HELD_S

    def _note_committed(self) -> None:
        for row in journal_rows(self.recorder.home.journal(0), "segment"):
            self.committed[row["path"]] = row["size_bytes"]

    def _check_committed(self) -> None:
        """Before anything is repaired: what the journal named must lie there, as it was."""
        known = {row["path"] for row in journal_rows(self.recorder.home.journal(0), "segment")}
        for path, size_bytes in self.committed.items():
            file = self.recorder.volume_path() / path
            if not file.exists() or file.stat().st_size != size_bytes or path not in known:
                self.lost_segments.append(path)

    def finish(self) -> dict[str, Any]:
        """Stop everything and judge the whole archive."""
        self.recorder.stop()
        self.cameras.stop()
        self._note_committed()
        tails, backs, complaints, unreadable = [], [], [], 0
        journal = self.recorder.home.journal(0)
        named = {row["path"]: row for row in journal_rows(journal, "segment")}
        for number, spec in enumerate(self.specs, 1):
            sent, _ = read_ledger(self.cameras.ledger, f"{number}/{spec.stream}")
            volumes = [Path(volume.path) for volume in self.recorder.volumes]
            files = segment_files(volumes, spec.camera, spec.stream, with_open=True)
            gaps = journal_gaps([journal], spec.camera, spec.stream, time.time())
            faults = [Fault(at, at, DOWN, settle_s=5) for at in self.crashes_s]
            verdict = judge_stream(files, gaps, sent, faults=faults, with_causes=True)
            unreadable += len(verdict.unreadable)
            complaints += [f"{spec.key}: {text}" for text in verdict.complaints()]
            complaints += [
                f"{path.name} has no entry" for path in files if str(path.relative_to(volumes[0])) not in named
            ]
            shown = sorted(float(frame.pts_s) for part in verdict.parts for frame in part.frames)
            for crash_s, since_s in zip(self.crashes_s, self.since_s, strict=True):
                before = [at for at in shown if at <= crash_s]
                after = [at for at in shown if at > crash_s + 0.05]
                last_sent = max((f.utc_ns / 1e9 for f in sent if f.utc_ns / 1e9 <= crash_s), default=crash_s)
                kept_s = max([since_s[spec.key], *before[-1:]])
                tails.append(max(0.0, last_sent - kept_s))
                backs.append(after[0] - crash_s if after else 99.0)
        lost = [path for path in self.committed if not (self.recorder.volume_path() / path).exists()]
        backs.sort()
        return {
            "crashes": len(self.crashes_s), "streams": len(self.specs), "committed_segments": len(self.committed),
            "lost_segments": len({*lost, *self.lost_segments}), "unreadable_files": unreadable,
            "tail_median_s": round(statistics.median(tails), 3), "tail_max_s": round(max(tails), 3),
            "back_median_s": round(statistics.median(backs), 3),
            "back_p99_s": round(backs[min(len(backs) - 1, int(len(backs) * 0.99))], 3), "back_max_s":
            round(backs[-1], 3),
            "complaints": complaints,
        }  # fmt: skip

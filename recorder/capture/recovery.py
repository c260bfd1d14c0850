"""What a shard does about its former life: salvage its files, end its runs, explain the time in between.

A thread of the shard, started with the first desired state, after the streams: recording goes first. For each
stream: repair and journal what lies on the volumes, end the open runs as `crashed`, close the open gaps at
the last sign of life, and write the `server_down` gap from the end of the footage to the start of this
process.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recorder.capture.desired import VolumeSpec
from recorder.capture.journal import LastEnd, Memory
from recorder.capture.salvage import find_leftovers, journal_salvaged, salvage_file
from recorder.capture.segment import OpenSegment, VolumeError
from recorder.capture.volume import check_volume
from recorder.causes import EndReason, GapCause

NEVER_MS = 1 << 62
HOLE_NS = 200_000_000
"""Missing footage from here on is told."""

log = logging.getLogger("capture.recovery")


class Recovery:
    def __init__(
        self,
        memory: Memory,
        journal: Callable[[str, dict[str, Any]], None],
        started_ns: int,
        died_ns: int | None,
    ) -> None:
        """`died_ns`: when the shard's status was last written, as far as known."""
        self._memory = memory
        self._journal = journal
        self._started_ns = started_ns
        self._died_ns = min(died_ns, started_ns) if died_ns else None
        self._thread: threading.Thread | None = None

    def knows(self, key: str) -> bool:
        """Whether the stream was being recorded when the shard last ran."""
        end = self._memory.last_ends.get(key)
        return key in self._memory.open_runs or (end is not None and not end.is_stopped)

    def start(self, volumes: Sequence[VolumeSpec], keys: list[str]) -> None:
        former = [key for key in self._memory.open_runs if key not in keys]
        former += [key for key in self._memory.open_gaps if key not in keys and key not in former]
        self._thread = threading.Thread(
            target=self._run, args=(list(volumes), [*keys, *former], set(keys)), name="recovery", daemon=True
        )
        self._thread.start()

    def _run(self, volumes: list[VolumeSpec], keys: list[str], wanted: set[str]) -> None:
        usable = []
        for volume in volumes:
            try:
                check_volume(volume)
                usable.append(volume)
            except (VolumeError, OSError) as err:
                log.warning("not salvaged: %s", err)
        for key in keys:
            try:
                self._recover(usable, key, is_wanted=key in wanted)
            except Exception:
                log.exception("%s: recovery failed", key)

    def _recover(self, volumes: list[VolumeSpec], key: str, *, is_wanted: bool) -> None:
        camera, _, stream = key.rpartition(".")
        runs = self._memory.open_runs.get(key, [])
        end = self._memory.last_ends.get(key, LastEnd(0, 0, is_stopped=False))
        covered_ns = end.covered_ns
        begun: list[int] = []
        ends_of_runs = {run: max(started_ns, end.footage_ns) for run, started_ns in runs}
        # Before the first journaled segment all that is known is that a run began.
        known_ns = end.footage_ns or min((started_ns for _, started_ns in runs), default=0)
        unknown_since_ms = known_ns // 1_000_000 if known_ns else NEVER_MS
        for volume in volumes:
            root = Path(volume.path)
            for path in find_leftovers(
                root,
                camera,
                stream,
                before_ms=self._started_ns // 1_000_000,
                unknown_since_ms=unknown_since_ms,
            ):
                try:
                    salvaged = salvage_file(root, volume.id, path)
                except OSError as err:
                    log.warning("%s can't be salvaged: %s", path, err)
                    continue
                if salvaged is not None:
                    run = journal_salvaged(salvaged, runs, self._journal)
                    end_ns = salvaged.row["end_ns"]
                    begun.append(salvaged.row["start_ns"])
                    ends_of_runs[run] = max(ends_of_runs.get(run, 0), end_ns)
                    covered_ns = max(covered_ns, end_ns)
                    log.info("%s: salvaged %s", key, salvaged.path.name)
        for run, _ in runs:
            self._journal("run_ended", {"run": run, "ended_ns": ends_of_runs[run], "reason": str(EndReason.CRASHED)})
        for payload in self._memory.open_gaps.get(key, []):
            # Footage that came after it ended it, even if the journal didn't get to say so.
            end_ns = min(
                (begun_ns for begun_ns in begun if begun_ns >= payload["start_ns"]),
                default=max(self._died_ns or self._started_ns, payload["start_ns"]),
            )
            self._journal("gap", {**payload, "end_ns": end_ns})
            covered_ns = max(covered_ns, end_ns)
        if is_wanted and covered_ns and not end.is_stopped and covered_ns < self._started_ns:
            self._journal(
                "gap",
                {
                    "gap": str(uuid.uuid4()),
                    "camera": camera,
                    "stream": stream,
                    "epoch": 0,
                    "start_ns": covered_ns,
                    "end_ns": self._started_ns,
                    "cause": str(GapCause.SERVER_DOWN),
                    "detail": "Capture was not running.",
                },
            )

    def salvage_failed(self, volume: VolumeSpec, segment: OpenSegment) -> bool:
        """A file that failed while this shard wrote it; true when it's done with."""
        plan = segment.plan
        try:
            check_volume(volume)  # a disk that is away may come back with the file
            # Either name: a file system that gave up may show the former one when it is mounted again.
            final_path = segment.final_path
            names = (segment.path, final_path, final_path.with_name(f"{final_path.name}.part"))
            path = next((name for name in names if name.exists()), final_path)
            salvaged = salvage_file(Path(volume.path), volume.id, path)
        except (VolumeError, OSError):
            return False
        kept_until_ns = segment.end_ns
        if salvaged is not None:
            journal_salvaged(salvaged, [(plan.run, plan.start_ns)], self._journal)
            kept_until_ns = salvaged.row["end_ns"]
            log.info("%s: salvaged %s", plan.key, salvaged.path.name)
        elif not path.exists():
            kept_until_ns = plan.start_ns
        if segment.end_ns - kept_until_ns > HOLE_NS:
            self._journal(
                "gap",
                {
                    "gap": str(uuid.uuid4()),
                    "camera": plan.camera,
                    "stream": plan.stream,
                    "epoch": plan.epoch,
                    "start_ns": kept_until_ns,
                    "end_ns": segment.end_ns,
                    "cause": str(GapCause.DISK_LOST),
                    "detail": "The disk did not keep what was written last.",
                },
            )
        return True

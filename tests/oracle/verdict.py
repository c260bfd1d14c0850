"""Compares footage with the simulator's ledger: what is lost, repeated, out of order, changed, or at
the wrong time.

All comparisons are between the first and the last counter seen: what was sent before and after isn't the
footage's fault.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .footage import SeenFrame


@dataclass(frozen=True, slots=True)
class SentFrame:
    counter: int
    utc_ns: int
    timestamp: int
    is_keyframe: bool
    sha256: str
    viewers: int


@dataclass(frozen=True, slots=True)
class SentUnit:
    index: int
    utc_ns: int
    timestamp: int
    sha256: str
    viewers: int


@dataclass(slots=True)
class Verdict:
    """Lists of counters; all empty when the footage is what was sent."""

    frames: int = 0
    unstamped: int = 0
    lost: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    disordered: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    worst_time_error_s: float = 0.0
    """Greatest |presentation time - UTC of the stamp|, where times are absolute (else meaningless)."""

    @property
    def is_exact(self) -> bool:
        return self.frames > 0 and not (self.unstamped or self.lost or self.repeated or self.disordered or self.changed)


def read_ledger(path: Path, stream: str) -> tuple[list[SentFrame], list[SentUnit]]:
    """Pictures and sound of one stream (`1/main`) that at least one viewer got. An unfinished last line is left out."""
    frames, units = [], []
    for text in path.read_text().splitlines(keepends=True):
        if not text.endswith("\n"):
            continue
        line = json.loads(text)
        if line["stream"] != stream or not line["viewers"]:
            continue
        if line["kind"] == "video":
            frames.append(
                SentFrame(
                    line["counter"],
                    line["utc_ns"],
                    line["timestamp"],
                    line["key"],
                    line["sha256"],
                    line["viewers"],
                )
            )
        else:
            units.append(SentUnit(line["index"], line["utc_ns"], line["timestamp"], line["sha256"], line["viewers"]))
    return frames, units


def judge(seen: Sequence[SeenFrame], sent: Sequence[SentFrame] | None = None) -> Verdict:
    """`seen` in decoding order. Without a ledger the counters alone are judged (each rises by one)."""
    verdict = Verdict(frames=len(seen))
    counters = [frame.counter for frame in seen if frame.counter is not None]
    verdict.unstamped = len(seen) - len(counters)
    if not counters:
        return verdict
    first, last = min(counters), max(counters)
    known: set[int] = set()
    highest = first - 1
    for counter in counters:
        if counter in known:
            verdict.repeated.append(counter)
        elif counter < highest:
            verdict.disordered.append(counter)
        known.add(counter)
        highest = max(highest, counter)
    expected = range(first, last + 1) if sent is None else [f.counter for f in sent if first <= f.counter <= last]
    verdict.lost = [counter for counter in expected if counter not in known]
    if sent is not None:
        hashes = {frame.counter: frame.sha256 for frame in sent}
        verdict.changed = [
            frame.counter for frame in seen if frame.counter is not None and hashes.get(frame.counter) != frame.sha256
        ]
    errors = [abs(float(frame.pts_s) - frame.utc_ns / 1e9) for frame in seen if frame.pts_s and frame.utc_ns]
    verdict.worst_time_error_s = max(errors, default=0.0)
    return verdict


def find_sound(seen: Sequence[str], sent: Sequence[str]) -> int | None:
    """Where the row of hashes `seen` stands, unbroken, in the row `sent`; None where it doesn't."""
    if not seen:
        return None
    for at in range(len(sent) - len(seen) + 1):
        if sent[at] == seen[0] and list(sent[at : at + len(seen)]) == list(seen):
            return at
    return None

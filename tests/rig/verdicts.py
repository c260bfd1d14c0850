"""Judges an archive from outside: files through PyAV, journals through sqlite3, timelines through the API; no
product code.

What must hold for a stream, whatever was done to it: no frame twice, none out of order, none changed (`frames`);
footage and gap
rows together leave no hole of more than 200 ms and don't overlap (`coverage`); every lost frame lies in a gap
(`unexplained`);
each gap's cause is one that the fault log allows (`wrong_causes`).
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av

from tests.oracle.footage import SeenFrame, read_footage
from tests.oracle.verdict import SentFrame, Verdict, judge

TOLERANCE_S = 0.2
FRAME_S = 0.12
"""How far a frame may be shown from the instant it was sent (server clock error at most 100 ms, and the time a send
takes)."""


@dataclass(frozen=True, slots=True)
class Gap:
    start_s: float
    end_s: float
    cause: str
    detail: str = ""

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Fault:
    """An entry of the fault log: what was wrong from `start_s` to `end_s`, and what a gap then may be called."""

    start_s: float
    end_s: float
    causes: frozenset[str]
    settle_s: float = 12.0
    """A gap may last so much longer: back-off, reconnect, the next keyframe."""


@dataclass(slots=True)
class Part:
    path: Path
    frames: list[SeenFrame]
    start_s: float
    end_s: float


@dataclass(slots=True)
class StreamVerdict:
    parts: list[Part] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    frames: Verdict = field(default_factory=Verdict)
    gaps: list[Gap] = field(default_factory=list)
    holes: list[tuple[float, float]] = field(default_factory=list)
    """Neither footage nor a gap row."""
    overlaps: list[tuple[float, float, str]] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)
    wrong_causes: list[Gap] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return len(self.frames.lost)

    def complaints(self) -> list[str]:
        """Empty when all is as it must be. What is lost in an explained gap is no complaint."""
        found = []
        if self.unreadable:
            found.append(f"unreadable: {[path.name for path in self.unreadable]}")
        for name in ("repeated", "disordered", "changed"):
            if counters := getattr(self.frames, name):
                found.append(f"{len(counters)} frames {name}: {counters[:10]}")
        if self.frames.unstamped:
            found.append(f"{self.frames.unstamped} frames without a stamp")
        if self.holes:
            found.append(f"neither footage nor a gap: {[(round(a, 2), round(b - a, 3)) for a, b in self.holes[:6]]}")
        if self.overlaps:
            found.append(f"overlaps: {[(round(a, 2), round(b - a, 3), why) for a, b, why in self.overlaps[:6]]}")
        if self.unexplained:
            found.append(f"{len(self.unexplained)} frames lost outside of any gap: {self.unexplained[:10]}")
        if self.wrong_causes:
            found.append(
                f"wrong causes: {[(g.cause, round(g.start_s, 2), round(g.length_s, 2)) for g in self.wrong_causes]}"
            )
        return found

    def is_explained(self) -> bool:
        return not self.complaints()


def segment_files(volumes: Iterable[Path], camera: str, stream: str, *, with_open: bool = False) -> list[Path]:
    found = []
    for volume in volumes:
        root = volume / camera / stream
        found += root.rglob("*.mp4")
        if with_open:
            found += root.rglob("*.mp4.part")
    return sorted(found, key=lambda path: int(path.name.split("-")[0]))


def read_parts(paths: Iterable[Path]) -> tuple[list[Part], list[Path]]:
    parts, unreadable = [], []
    for path in paths:
        try:
            frames = read_footage(path).frames
        except (av.FFmpegError, ValueError, OSError, IndexError):
            unreadable.append(path)
            continue
        if not frames:
            unreadable.append(path)
            continue
        shown = sorted(float(frame.pts_s) for frame in frames if frame.pts_s is not None)
        usual = sorted(b - a for a, b in itertools.pairwise(shown))
        parts.append(Part(path, frames, shown[0], shown[-1] + (usual[len(usual) // 2] if usual else 0.0)))
    return sorted(parts, key=lambda part: part.start_s), unreadable


def journal_rows(journal: Path, kind: str) -> list[dict]:
    """All entries of one kind, oldest first; opened read-only, so nothing is repaired by looking."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)
    try:
        rows = connection.execute("SELECT payload FROM entry WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    finally:
        connection.close()
    return [json.loads(payload) for (payload,) in rows]


def journal_gaps(journals: Iterable[Path], camera: str, stream: str, until_s: float) -> list[Gap]:
    """The newest version of each gap; open ones reach to `until_s`."""
    newest: dict[str, dict] = {}
    for journal in journals:
        for row in journal_rows(journal, "gap"):
            if (row["camera"], row["stream"]) == (camera, stream):
                newest[row["gap"]] = row
    return sorted(
        (
            Gap(
                row["start_ns"] / 1e9,
                until_s if row["end_ns"] is None else row["end_ns"] / 1e9,
                row["cause"],
                row["detail"],
            )
            for row in newest.values()
        ),
        key=lambda gap: gap.start_s,
    )


def judge_stream(
    files: Sequence[Path], gaps: Sequence[Gap], sent: Sequence[SentFrame], *, start_s: float | None = None,
    end_s: float | None = None, faults: Sequence[Fault] = (), with_causes: bool = False,
) -> StreamVerdict:  # fmt: skip
    """`start_s` to `end_s` is the time that must be covered; by default from the first footage to the last."""
    parts, unreadable = read_parts(files)
    verdict = StreamVerdict(parts, unreadable, gaps=list(gaps))
    verdict.frames = judge([frame for part in parts for frame in part.frames], sent)
    if not parts and start_s is None:
        return verdict
    start_s = parts[0].start_s if start_s is None else start_s
    end_s = parts[-1].end_s if end_s is None else end_s
    verdict.holes = _holes([(part.start_s, part.end_s) for part in parts] + [(g.start_s, g.end_s) for g in gaps],
                           start_s, end_s)  # fmt: skip
    verdict.overlaps = [
        (b.start_s, a.end_s, "two files") for a, b in itertools.pairwise(parts) if a.end_s - b.start_s > FRAME_S
    ]
    footage = _union([(frame_span) for part in parts for frame_span in _spans_of(part)])
    for gap in gaps:
        for first, last in footage:
            shared = min(last, gap.end_s) - max(first, gap.start_s)
            if shared > TOLERANCE_S:
                verdict.overlaps.append(
                    (max(first, gap.start_s), min(last, gap.end_s), f"footage in a gap ({gap.cause})")
                )
    sent_at = {frame.counter: frame.utc_ns / 1e9 for frame in sent}
    verdict.unexplained = [
        counter
        for row in _rows_of(verdict.frames.lost)
        if sent_at[row[-1]] - sent_at[row[0]] >= TOLERANCE_S / 2  # less than 200 ms with the frame itself is no gap
        for counter in row
        if not any(gap.start_s - FRAME_S - 0.1 <= sent_at[counter] <= gap.end_s + FRAME_S for gap in gaps)
    ]
    if with_causes:
        verdict.wrong_causes = [
            gap for gap in gaps
            if min(gap.end_s, end_s) - max(gap.start_s, start_s) > TOLERANCE_S and not _is_right(gap, faults)
        ]  # fmt: skip
    return verdict


def _rows_of(counters: Sequence[int]) -> list[list[int]]:
    """Lost frames that followed each other."""
    rows: list[list[int]] = []
    for counter in counters:
        if rows and rows[-1][-1] == counter - 1:
            rows[-1].append(counter)
        else:
            rows.append([counter])
    return rows


def _is_right(gap: Gap, faults: Sequence[Fault]) -> bool:
    return any(
        gap.cause in fault.causes and gap.start_s < fault.end_s + fault.settle_s and gap.end_s > fault.start_s - 1.0
        for fault in faults
    )


def _spans_of(part: Part) -> list[tuple[float, float]]:
    """A file's footage without the holes in it."""
    shown = sorted(float(frame.pts_s) for frame in part.frames if frame.pts_s is not None)
    spans, first = [], shown[0]
    for a, b in itertools.pairwise(shown):
        if b - a > TOLERANCE_S:
            spans.append((first, a))
            first = b
    return [*spans, (first, shown[-1])]


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[list[float]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 0.05:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return [(first, last) for first, last in joined]


def _holes(spans: Iterable[tuple[float, float]], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """What the spans leave open between `start_s` and `end_s`, more than the tolerance."""
    holes, at = [], start_s
    for first, last in _union(spans):
        if first - at > TOLERANCE_S:
            holes.append((at, min(first, end_s)))
        at = max(at, last)
        if at >= end_s:
            break
    if end_s - at > TOLERANCE_S:
        holes.append((at, end_s))
    return [(a, b) for a, b in holes if b - a > TOLERANCE_S]

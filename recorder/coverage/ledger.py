"""The law of the ledger, as pure functions: recordings and gaps together cover every second of a stream, each second
once.

`plan_repair` is told the rows of a window and says which gap rows claim too much and which seconds nobody explains;
`recorder.coverage.repair` reads and writes the rows. Instants are integers of microseconds since the Unix epoch, spans
half-open. No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from recorder.causes import GapCause
from recorder.coverage.claims import Winners

SLIVER_US = 1_000
"""Overlaps up to this come from rounding; nobody is asked to write a row for them."""
HOLE_US = 200_000
"""Time without footage is told from here on; less is the distance of a few frames."""

Span = tuple[int, int]
Stretch = tuple[int, int, int]
"""`(start, end, epoch)`"""


@dataclass(frozen=True, slots=True)
class RunRow:
    start_us: int
    end_us: int
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class GapRow:
    id: Hashable
    start_us: int
    end_us: int | None
    """None while it lasts: such a row belongs to who opened it, and is never cut."""
    cause: str
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """What is known of a stretch of time beyond the stream's own rows, such as that its server was silent."""

    start_us: int
    end_us: int
    cause: str
    detail: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Explained:
    """A gap row to add."""

    start_us: int
    end_us: int
    cause: str
    detail: str


@dataclass(frozen=True, slots=True)
class Repair:
    cut: dict[Hashable, tuple[Span, ...]] = field(default_factory=dict)
    """What is left of each gap row that claimed time which is recorded or better explained; nothing: it goes."""
    add: tuple[Explained, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.cut or self.add)


def plan_repair(
    runs: Iterable[RunRow],
    gaps: Sequence[GapRow],
    reasons: Iterable[Reason],
    since_us: int,
    until_us: int,
    *,
    sliver_us: int = SLIVER_US,
    hole_us: int = HOLE_US,
) -> Repair:
    """What makes `[since_us, until_us)` whole. Footage beats gaps, but for a hole that capture told within a run of the
    same epoch; a known cause beats `unknown`, a higher epoch a lower one, a later start an earlier one. What is left
    gets the best of `reasons`, else `unknown`. A hole's row is never cut, for without it its run would claim that
    time; so it may lie over what another server recorded or missed. Rows may reach beyond the window; their parts
    outside stay. A second plan over the repaired rows is empty. O(n log n)."""
    if until_us <= since_us:
        return Repair()
    kept: dict[Hashable, list[Span]] = {gap.id: [] for gap in gaps}
    uncovered: list[Span] = []
    holes: set[Stretch] = set()
    told = [(gap.start_us, gap.end_us, gap.epoch) for gap in gaps if gap.end_us is not None]
    pieces_of_runs = without_holes([(run.start_us, run.end_us, run.epoch) for run in runs], told, holes)
    winners = Winners(
        (gap.start_us, until_us if gap.end_us is None else gap.end_us, _rank(gap, holes), gap.id) for gap in gaps
    )
    for start, stop in between(union(pieces_of_runs), since_us, until_us):
        for first, last, owner in winners.over(start, stop):
            _extend(uncovered if owner is None else kept[owner], first, last)
    cut = {}
    for gap in gaps:
        if gap.end_us is None or (gap.start_us, gap.end_us, gap.epoch) in holes:
            continue
        outside = (gap.start_us, min(gap.end_us, since_us)), (max(gap.start_us, until_us), gap.end_us)
        left = union([*outside, *kept[gap.id]])
        pieces = tuple(span for span in left if span[1] - span[0] > sliver_us)
        if _differs((gap.start_us, gap.end_us), pieces, sliver_us):
            cut[gap.id] = pieces
    known = Winners((reason.start_us, reason.end_us, reason.rank, reason) for reason in reasons)
    add: list[Explained] = []
    for start, stop in uncovered:
        if stop - start < hole_us:
            continue
        for first, last, reason in known.over(start, stop):
            cause, detail = (reason.cause, reason.detail) if reason else (GapCause.UNKNOWN.value, "")
            if add and (add[-1].end_us, add[-1].cause, add[-1].detail) == (first, cause, detail):
                first = add.pop().start_us
            add.append(Explained(first, last, cause, detail))
    return Repair(cut, tuple(add))


def find_uncovered(
    runs: Iterable[RunRow], gaps: Sequence[GapRow], since_us: int, until_us: int, *, hole_us: int = HOLE_US
) -> list[Span]:
    """Stretches of at least `hole_us` that neither a run nor a gap explains, sorted."""
    claims = [(run.start_us, run.end_us) for run in runs]
    claims += [(gap.start_us, until_us if gap.end_us is None else gap.end_us) for gap in gaps]
    return [span for span in between(union(claims), since_us, until_us) if span[1] - span[0] >= hole_us]


def footage(runs: Iterable[RunRow], gaps: Iterable[GapRow]) -> list[Span]:
    """The union of the runs, without the holes that capture told within them."""
    told = [(gap.start_us, gap.end_us, gap.epoch) for gap in gaps if gap.end_us is not None]
    return union(without_holes([(run.start_us, run.end_us, run.epoch) for run in runs], told))


def without_holes(
    runs: Iterable[Stretch], gaps: Iterable[Stretch], holes_found: set[Stretch] | None = None
) -> list[Span]:
    """Runs `(start, end, epoch)` cut at those gaps that lie within them and are of their epoch: what capture missed
    without ending the run; these are put into `holes_found`. Epoch 0 is the worker's own, and no hole. Any unit; sorted
    by start."""
    holes = sorted(gap for gap in gaps if gap[2] > 0)
    pieces: list[Span] = []
    at = 0
    for start, end, epoch in sorted(runs):
        while at < len(holes) and holes[at][0] < start:
            at += 1
        next_hole = at
        while next_hole < len(holes) and holes[next_hole][0] < end:
            first, last, hole_epoch = holes[next_hole]
            if hole_epoch == epoch and start <= first and last <= end:
                pieces.append((start, first))
                start = last
                if holes_found is not None:
                    holes_found.add(holes[next_hole])
            next_hole += 1
        pieces.append((start, end))
    return pieces


def union(spans: Iterable[Span]) -> list[Span]:
    """Sorted and disjoint; spans that touch become one."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def between(spans: Iterable[Span], start: int, stop: int) -> Iterator[Span]:
    """What the sorted, disjoint `spans` leave of `[start, stop)`."""
    at = start
    for first, last in spans:
        if last <= at:
            continue
        if first >= stop:
            break
        if first > at:
            yield at, first
        at = last
    if at < stop:
        yield at, stop


def _rank(gap: GapRow, holes: Container[Stretch]) -> int:
    """A hole in a run is what its run itself says; then a known cause beats `unknown`, then the higher epoch."""
    if gap.end_us is not None and (gap.start_us, gap.end_us, gap.epoch) in holes:
        return 1 << 63
    return gap.epoch if gap.cause == GapCause.UNKNOWN else gap.epoch + (1 << 62)


def _extend(spans: list[Span], start: int, end: int) -> None:
    if spans and spans[-1][1] == start:
        spans[-1] = spans[-1][0], end
    else:
        spans.append((start, end))


def _differs(before: Span, pieces: Sequence[Span], sliver_us: int) -> bool:
    if len(pieces) == 1:
        return pieces[0][0] - before[0] > sliver_us or before[1] - pieces[0][1] > sliver_us
    return bool(pieces) or before[1] - before[0] > sliver_us

"""Which segments go: a pure decision, facts in, plan out; `apply` carries it out, in the recorder's worker.

Three reasons, in this order: the law (older than the maximum days), the quota (a stream over its bytes), and room (a
volume whose free space is below its reserve). Footage under a hold is never chosen. For room, footage past its promise
(minimum days) goes first, oldest first; only when that is not enough does footage within a promise go, from the
stream that has the most of its promise, and the plan names every broken promise.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One committed segment; `stream` is any key that rules are given for."""

    segment: int
    stream: int
    volume: str
    started_s: float
    """Unix time."""
    ended_s: float
    size_bytes: int
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What one stream promises and must not exceed; None means no such limit."""

    min_days: float | None = None
    max_days: float | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    purge: tuple[Candidate, ...] = ()
    """Oldest first."""
    broken_promises: frozenset[int] = frozenset()
    """Streams that lose footage younger than their minimum days."""
    missing_bytes: Mapping[str, int] = field(default_factory=dict)
    """Per volume what could not be freed, because only held footage is left."""


def plan_retention(
    candidates: Iterable[Candidate],
    rules: Mapping[int, Rule],
    needed_bytes: Mapping[str, int],
    now_s: float,
    stored_bytes: Mapping[int, int] | None = None,
) -> RetentionPlan:
    """Decide over all `candidates`. `needed_bytes`: per volume how much must become free. `stored_bytes`: what each
    stream keeps in all, where the candidates are only its oldest part. A stream without a rule has neither promise nor
    limit. Cost: one sort of the candidates."""
    ordered = sorted(candidates, key=lambda row: (row.started_s, row.segment))
    free = [row for row in ordered if not row.is_held]
    chosen: dict[int, Candidate] = {}
    for row in free:
        rule = rules.get(row.stream)
        if rule and rule.max_days is not None and row.ended_s < now_s - rule.max_days * DAY_S:
            chosen[row.segment] = row
    _choose_over_quota(ordered, rules, chosen, stored_bytes or {})
    freed: dict[str, int] = defaultdict(int)
    for row in chosen.values():
        freed[row.volume] += row.size_bytes
    broken: set[int] = set()
    missing: dict[str, int] = {}
    for volume, needed in needed_bytes.items():
        rest = [row for row in free if row.volume == volume and row.segment not in chosen]
        lacking = needed - freed[volume]
        for row in _by_dispensability(rest, rules, now_s):
            if lacking <= 0:
                break
            chosen[row.segment] = row
            lacking -= row.size_bytes
            if _is_promised(row, rules, now_s):
                broken.add(row.stream)
        if lacking > 0:
            missing[volume] = lacking
    purge = tuple(sorted(chosen.values(), key=lambda row: (row.started_s, row.segment)))
    return RetentionPlan(purge, frozenset(broken), missing)


def _choose_over_quota(
    ordered: Sequence[Candidate],
    rules: Mapping[int, Rule],
    chosen: dict[int, Candidate],
    stored_bytes: Mapping[int, int],
) -> None:
    """Held footage counts towards the quota but stays."""
    seen: dict[int, int] = defaultdict(int)
    going: dict[int, int] = defaultdict(int)
    for row in ordered:
        seen[row.stream] += row.size_bytes
        if row.segment in chosen:
            going[row.stream] += row.size_bytes
    total = {stream: max(stored_bytes.get(stream, 0), size) - going[stream] for stream, size in seen.items()}
    for row in ordered:
        rule = rules.get(row.stream)
        if rule is None or rule.max_bytes is None or row.is_held or row.segment in chosen:
            continue
        if total[row.stream] > rule.max_bytes:
            chosen[row.segment] = row
            total[row.stream] -= row.size_bytes


def _is_promised(row: Candidate, rules: Mapping[int, Rule], now_s: float) -> bool:
    rule = rules.get(row.stream)
    return rule is not None and rule.min_days is not None and row.ended_s > now_s - rule.min_days * DAY_S


def _by_dispensability(rows: Sequence[Candidate], rules: Mapping[int, Rule], now_s: float) -> Iterable[Candidate]:
    """Unpromised footage oldest first, then promised footage, each time from the stream whose oldest footage fulfils
    the largest part of its promise: so all promises shrink together instead of one camera losing everything."""
    promised: dict[int, list[Candidate]] = defaultdict(list)
    for row in rows:
        if _is_promised(row, rules, now_s):
            promised[row.stream].append(row)
        else:
            yield row
    heap: list[tuple[float, int]] = []
    for stream, own in promised.items():
        own.reverse()  # the oldest at the end, to pop
        heapq.heappush(heap, (-_kept_part(own[-1], rules, now_s), stream))
    while heap:
        _, stream = heapq.heappop(heap)
        own = promised[stream]
        yield own.pop()
        if own:
            heapq.heappush(heap, (-_kept_part(own[-1], rules, now_s), stream))


def _kept_part(row: Candidate, rules: Mapping[int, Rule], now_s: float) -> float:
    return (now_s - row.started_s) / (max(rules[row.stream].min_days or 0.0, 1e-9) * DAY_S)

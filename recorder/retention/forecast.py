"""How long footage will stay at today's rate, and when a promise breaks: a pure function over bytes and rates.

The streams of one server share the room of its volumes. In the long run every stream keeps the same age of footage, as
the oldest goes first; a promise (minimum days) keeps a stream above that, a limit (maximum days, bytes) below it and
leaves the rest to the others. Where the promises alone need more than there is, they shrink in proportion, as
`plan_retention` lets them. Used by the worker (early alarm), the API and the pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from recorder.retention.plan import Rule

NEVER_DAYS = 3650.0
"""Ten years: what is kept longer counts as kept for ever, and a promise that breaks later as kept."""
TOLERANCE = 0.02
"""A forecast this close below its promise is no shortfall: rates breathe by a few percent."""


@dataclass(frozen=True, slots=True)
class Load:
    """One stream; held footage is in neither figure."""

    stream: int
    kept_bytes: int
    rate_bytes_per_day: float
    rule: Rule


@dataclass(frozen=True, slots=True)
class Outlook:
    stream: int
    kept_days: float | None
    """How much there will be in the long run at today's rate; None: over `NEVER_DAYS`, or the stream is at rest."""
    promise_days: float | None
    breaks_in_days: float | None
    """Until footage within the promise has to go; 0: now. None: it doesn't."""
    missing_bytes: int
    """What this stream's promise lacks in the end; 0 where it holds."""

    @property
    def is_short(self) -> bool:
        return self.missing_bytes > 0


def forecast(loads: Iterable[Load], free_bytes: int, reserve_bytes: int) -> dict[int, Outlook]:
    """The outlook of every stream on volumes with `free_bytes`, of which `reserve_bytes` shall stay free."""
    rows = list(loads)
    usable = max(0.0, sum(row.kept_bytes for row in rows) + float(free_bytes) - reserve_bytes)
    promised = {row.stream: _promise(row) for row in rows}
    wanted = sum(row.rate_bytes_per_day * promised[row.stream] for row in rows)
    if wanted > usable:
        part = usable / wanted
        days = {row.stream: part * promised[row.stream] for row in rows}
    else:
        age = _common_age(rows, promised, usable)
        days = {row.stream: min(_limit(row), max(promised[row.stream], age)) for row in rows}
    breaks_in = _breaks_in_days(rows, promised, usable) if wanted > usable else None
    outlooks = {}
    for row in rows:
        kept = days[row.stream]
        is_at_rest = row.rate_bytes_per_day <= 0
        promise = row.rule.min_days
        short_days = 0.0 if promise is None or is_at_rest else promised[row.stream] - kept
        is_short = promise is not None and short_days > TOLERANCE * promised[row.stream]
        outlooks[row.stream] = Outlook(
            row.stream,
            None if is_at_rest or kept >= NEVER_DAYS else kept,
            promise,
            breaks_in if is_short else None,
            int(short_days * row.rate_bytes_per_day) if is_short else 0,
        )
    return outlooks


def _limit(row: Load) -> float:
    """Days that the stream's own limits allow."""
    by_days = inf if row.rule.max_days is None else row.rule.max_days
    if row.rule.max_bytes is None or row.rate_bytes_per_day <= 0:
        return by_days
    return min(by_days, row.rule.max_bytes / row.rate_bytes_per_day)


def _promise(row: Load) -> float:
    return min(row.rule.min_days or 0.0, _limit(row))


def _common_age(rows: Sequence[Load], promised: dict[int, float], usable: float) -> float:
    """The age at which the streams fill `usable` bytes: solves sum(rate * min(limit, max(promise, age))) = usable."""
    moving = [row for row in rows if row.rate_bytes_per_day > 0]
    edges = sorted({edge for row in moving for edge in (promised[row.stream], _limit(row)) if edge < inf} | {0.0})
    for lower, upper in zip(edges, [*edges[1:], inf], strict=True):
        filled = sum(row.rate_bytes_per_day * min(_limit(row), max(promised[row.stream], lower)) for row in moving)
        growing = sum(row.rate_bytes_per_day for row in moving if promised[row.stream] <= lower < _limit(row))
        if growing > 0 and filled + growing * (upper - lower) >= usable:
            return lower + max(0.0, usable - filled) / growing
    return inf


def _breaks_in_days(rows: Sequence[Load], promised: dict[int, float], usable: float) -> float:
    """When the footage within its promise outgrows `usable`. It grows by each stream's rate until the stream keeps its
    promised days; called only where it does outgrow it."""
    now = sum(min(row.kept_bytes, row.rate_bytes_per_day * promised[row.stream]) for row in rows)
    lacking = usable - now
    if lacking <= 0:
        return 0.0
    growing = sorted(
        (promised[row.stream] - row.kept_bytes / row.rate_bytes_per_day, row.rate_bytes_per_day)
        for row in rows
        if row.rate_bytes_per_day > 0 and row.kept_bytes < row.rate_bytes_per_day * promised[row.stream]
    )
    rate = sum(one for _, one in growing)
    at = 0.0
    for until, one in growing:
        if rate * (until - at) >= lacking:
            return at + lacking / rate
        lacking -= rate * (until - at)
        at, rate = until, rate - one
    return at

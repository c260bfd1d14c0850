"""Which of several overlapping files shows an instant: the pure rule that the catalogue applies.

Two servers may have recorded the same minutes (in doubt both do), and a clock set back makes one run overlap another.
At every instant the highest epoch wins; within one epoch the file that started later. Nothing recorded is
without a winner and no instant has two. No I/O.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

TAIL_MS = 1_000
"""A file whose successor of the same epoch starts less than this before its end isn't cut there: the end is a
prediction (the last frame's duration), and one writer wrote both. Sane: a frame interval to a GOP."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One file's footage, `[start_ms, end_ms)`."""

    start_ms: int
    end_ms: int
    epoch: int
    position: int
    """A number of the caller's; of two claims equal otherwise the lower one wins."""


@dataclass(frozen=True, slots=True)
class Won:
    """A span that `claim` shows, `[start_ms, end_ms)`."""

    claim: Claim
    start_ms: int
    end_ms: int
    has_tail: bool = False
    """The claim ends a little later, but all its frames belong here (see `TAIL_MS`)."""


def resolve_winners(claims: Iterable[Claim]) -> Iterator[Won]:
    """Disjoint spans in rising order that together cover what the claims cover; O(n log n).

    Claims come by rising `start_ms` and are taken one ahead of what is given, so that a day needn't be read before
    its first file is answered. One that comes too late (a name that lies) counts from where the sweep stands."""
    return _with_tails(_sweep(claim for claim in claims if claim.start_ms < claim.end_ms))


def _sweep(claims: Iterator[Claim]) -> Iterator[Won]:
    running: list[tuple[int, int, int, Claim]] = []
    coming = next(claims, None)
    at_ms = coming.start_ms if coming is not None else 0
    won: Won | None = None
    while coming is not None or running:
        if not running and coming is not None:
            at_ms = max(at_ms, coming.start_ms)
        while coming is not None and coming.start_ms <= at_ms:
            heapq.heappush(running, (-coming.epoch, -coming.start_ms, coming.position, coming))
            coming = next(claims, None)
        while running and running[0][3].end_ms <= at_ms:
            heapq.heappop(running)
        if not running:
            continue
        best = running[0][3]
        until_ms = best.end_ms if coming is None else min(best.end_ms, coming.start_ms)
        if won is not None and won.claim is best and won.end_ms == at_ms:
            won = Won(best, won.start_ms, until_ms)
        else:
            if won is not None:
                yield won
            won = Won(best, at_ms, until_ms)
        at_ms = until_ms
    if won is not None:
        yield won


def _with_tails(spans: Iterator[Won]) -> Iterator[Won]:
    span = next(spans, None)
    while span is not None:
        following = next(spans, None)
        yield span if following is None or not _has_tail(span, following) else replace(span, has_tail=True)
        span = following


def _has_tail(span: Won, following: Won) -> bool:
    """The successor must outlast the tail, or the claim would win again after it."""
    claim = span.claim
    return (
        span.end_ms == following.start_ms == following.claim.start_ms
        and claim.epoch == following.claim.epoch
        and 0 < claim.end_ms - span.end_ms <= TAIL_MS
        and following.claim.end_ms >= claim.end_ms
    )

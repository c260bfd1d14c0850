"""Which of several claims on a stretch of time wins: a pure sweep, for the timeline and for the ledger's repair.

Instants are integers of any one unit; spans are half-open. Claims and heap entries are plain tuples, for a timeline of
64 cameras over a month makes 25,000 of each.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Generic, TypeVar

T = TypeVar("T")

Claim = tuple[int, int, int, T]
"""`(start, end, rank, owner)`: the owner claims `[start, end)`. The higher rank wins, then the later start."""


class Winners(Generic[T]):
    """Walks the claims once, from left to right. O(n log n) over all calls together."""

    def __init__(self, claims: Iterable[Claim[T]]) -> None:
        self._waiting = sorted(claims, key=itemgetter(0), reverse=True)
        self._open: list[tuple[int, int, int, int, T]] = []
        self._count = 0

    def over(self, start: int, stop: int) -> Iterator[tuple[int, int, T | None]]:
        """Pieces `(start, end, winner)` that cover `[start, stop)`, None where nobody claims. Call with rising spans
        only. Neighbouring pieces may have the same winner."""
        waiting, open_, at = self._waiting, self._open, start
        while at < stop:
            while waiting and waiting[-1][0] <= at:
                first, last, rank, owner = waiting.pop()
                if last > at:
                    self._count += 1
                    heapq.heappush(open_, (-rank, -first, -self._count, last, owner))
            while open_ and open_[0][3] <= at:
                heapq.heappop(open_)
            until = stop
            if waiting and waiting[-1][0] < until:
                until = waiting[-1][0]
            winner: T | None = None
            if open_:
                last, winner = open_[0][3:]
                if last < until:
                    until = last
            yield at, until, winner
            at = until

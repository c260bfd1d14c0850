"""Columns of numbers in few bytes, for the sample index: raw at the narrowest width, or as runs of equal values.

Layout: a byte with the width (1, 2, 4, 8: that many bytes a number, big endian) or 0 for runs: 32-bit number of
runs, then all values (64 bits), then all counts (32 bits). How many numbers there are is told elsewhere.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import groupby, islice
from operator import ne

_TYPES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_RUN_BYTES = 12


def pack_column(values: Sequence[int]) -> bytes:
    """Of numbers from 0 to 2**64 - 1."""
    if not len(values):
        return b"\1"
    highest = max(values)
    width = 1 if highest < 1 << 8 else 2 if highest < 1 << 16 else 4 if highest < 1 << 32 else 8
    runs = 1 + sum(map(ne, values, islice(values, 1, None)))
    if 4 + runs * _RUN_BYTES < len(values) * width:
        pairs = [(value, sum(1 for _ in group)) for value, group in groupby(values)]
        counts = _big_endian(array("I", [count for _, count in pairs]))
        return b"\0" + runs.to_bytes(4, "big") + _big_endian(array("Q", [value for value, _ in pairs])) + counts
    return bytes((width,)) + _big_endian(array(_TYPES[width], values))


def _big_endian(column: array[int]) -> bytes:
    if sys.byteorder == "little":
        column = column[:]
        column.byteswap()
    return column.tobytes()

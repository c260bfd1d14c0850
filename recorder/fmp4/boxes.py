"""ISO base media boxes (ISO 14496-12 clause 4.2): making them, and walking over foreign ones.

Used by every module of this package and by the archive, which writes the `moov` of plain clips with it.
"""

from __future__ import annotations

from collections.abc import Iterator

Buffer = bytes | bytearray | memoryview

MAX_BOXES = 10_000
"""Boxes side by side in one parent; more is no file of ours."""


def box(kind: bytes, *payloads: bytes) -> bytes:
    """A box with a 32-bit size around the payloads."""
    size = 8 + sum(map(len, payloads))
    return b"".join((size.to_bytes(4, "big"), kind, *payloads))


def full_box(kind: bytes, version: int, flags: int, *payloads: bytes) -> bytes:
    """A box with version and 24 bits of flags (4.2.2)."""
    return box(kind, (version << 24 | flags).to_bytes(4, "big"), *payloads)


def iter_boxes(buffer: Buffer, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each payload between two positions of `buffer`.

    Raises `ValueError` for a size that is too small or reaches past `end`."""
    position = start
    for _ in range(MAX_BOXES):
        if position == end:
            return
        if position + 8 > end:
            raise ValueError("a box header is cut off")
        size = int.from_bytes(buffer[position : position + 4], "big")
        kind = bytes(buffer[position + 4 : position + 8])
        header = 8
        if size == 1:
            size = int.from_bytes(buffer[position + 8 : position + 16], "big")
            header = 16
        elif size == 0:
            size = end - position
        if size < header or position + size > end:
            raise ValueError(f"the size of box {kind!r} is wrong")
        yield kind, position + header, position + size
        position += size
    raise ValueError("too many boxes")


def find_box(buffer: Buffer, start: int, end: int, *path: bytes) -> tuple[int, int]:
    """Payload of the first box down a path of types. Raises `ValueError` where there is none."""
    for wanted in path:
        for kind, inner_start, inner_end in iter_boxes(buffer, start, end):
            if kind == wanted:
                start, end = inner_start, inner_end
                break
        else:
            raise ValueError(f"box {wanted.decode('latin-1')!r} is missing")
    return start, end

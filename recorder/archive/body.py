"""An answer made of bytes in hand and byte ranges of files, with a known length and random access.

What a clip, a span or a filtered segment is delivered as: the media service asks for `[start, end)` and sends what
comes, piece by piece, so memory stays constant whatever the length. Media bytes go from file to socket untouched.
Files are opened when their turn comes; one that is gone or has lost its end by then raises `FootageGone`.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from recorder.archive.exceptions import FootageGone
from recorder.archive.layout import OPEN_SUFFIX

PIECE_BYTES = 1 << 20
"""Longest piece that `iter_bytes` yields; sane: 64 kB (calls) to 4 MB (memory per client)."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes of a file from `offset`."""

    path: Path
    offset: int
    length: int


class Body:
    """Parts in order; immutable. Reading opens files of its own, so threads may share a body."""

    def __init__(self, parts: Iterable[bytes | FileRange]) -> None:
        self._parts = [part for part in parts if _length(part)]
        self._ends = list(accumulate(_length(part) for part in self._parts))

    @property
    def length(self) -> int:
        """Bytes in total."""
        return self._ends[-1] if self._ends else 0

    def iter_parts(self, start: int = 0, end: int | None = None) -> Iterator[bytes | FileRange]:
        """The parts that make up `[start, end)`, trimmed to it. Raises `ValueError` for a range outside."""
        end = self.length if end is None else end
        if not 0 <= start <= end <= self.length:
            raise ValueError("byte range outside of the answer")
        index = bisect_right(self._ends, start)
        while start < end:
            part = self._parts[index]
            skip = start - (self._ends[index] - _length(part))
            take = min(end, self._ends[index]) - start
            if isinstance(part, bytes):
                yield part if take == len(part) else part[skip : skip + take]
            else:
                yield FileRange(part.path, part.offset + skip, take)
            start += take
            index += 1

    def iter_bytes(self, start: int = 0, end: int | None = None) -> Generator[bytes, None, None]:
        """The bytes of `[start, end)` in pieces of at most `PIECE_BYTES`; blocks on the disk, so call it in a
        thread. Raises `FootageGone`, `ValueError`, `OSError` (a failing disk)."""
        small: list[bytes] = []
        small_bytes = 0
        for piece in self._read_parts(start, end):
            if small_bytes + len(piece) > PIECE_BYTES:
                yield b"".join(small)
                small, small_bytes = [], 0
            small.append(piece)
            small_bytes += len(piece)
        if small:
            yield b"".join(small) if len(small) > 1 else small[0]

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`, fewer at the end. Raises as `iter_bytes`."""
        return b"".join(self.iter_bytes(offset, min(offset + size, self.length)))

    def _read_parts(self, start: int, end: int | None) -> Iterator[bytes]:
        path, fd = None, -1
        try:
            for part in self.iter_parts(start, end):
                if isinstance(part, bytes):
                    for offset in range(0, len(part), PIECE_BYTES):
                        yield part[offset : offset + PIECE_BYTES]
                    continue
                if part.path != path:
                    if fd >= 0:
                        os.close(fd)
                        fd = -1
                    fd, path = open_segment(part.path), part.path
                for offset in range(part.offset, part.offset + part.length, PIECE_BYTES):
                    size = min(PIECE_BYTES, part.offset + part.length - offset)
                    piece = os.pread(fd, size, offset)
                    if len(piece) != size:
                        raise FootageGone("This footage has lost its end.")
                    yield piece
        finally:
            if fd >= 0:
                os.close(fd)


def open_segment(path: Path) -> int:
    """A file descriptor of a segment, also where it was closed (`.part` renamed) since `path` was listed.

    Never follows a link, never waits for a FIFO. Raises `FootageGone` where it isn't there any more."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    if path.name.endswith(OPEN_SUFFIX):
        try:
            return os.open(path.with_name(path.name.removesuffix(OPEN_SUFFIX)), flags)
        except FileNotFoundError:
            pass
    raise FootageGone


def join_ranges(ranges: Iterable[FileRange]) -> Iterator[FileRange]:
    """The same bytes with neighbours in one file joined."""
    last: FileRange | None = None
    for part in ranges:
        if last is not None and last.path == part.path and last.offset + last.length == part.offset:
            last = FileRange(last.path, last.offset, last.length + part.length)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def _length(part: bytes | FileRange) -> int:
    return len(part) if isinstance(part, bytes) else part.length

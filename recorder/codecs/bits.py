"""Reads parameter sets bit by bit (ITU-T H.264 7.2 and 9.1, the same in H.265), for the parsers here.

The bytes come from cameras, so every read is bounded: running out, and an exp-Golomb code of more than 32
bits, raise `ValueError`.
"""

from __future__ import annotations

MAX_PARAMETER_SET_BYTES = 4096
"""Longest parameter set looked at; real ones have 10 to 300 bytes, with every scaling list about 3000."""


def unescape(nal: bytes) -> bytes:
    """The RBSP of a NAL unit: without emulation prevention bytes (00 00 03 becomes 00 00; H.264 7.4.1.1)."""
    position = nal.find(b"\0\0\3")
    if position < 0:
        return bytes(nal)
    parts = []
    start = 0
    while position >= 0:
        parts.append(nal[start : position + 2])
        start = position + 3
        position = nal.find(b"\0\0\3", start)
    parts.append(nal[start:])
    return b"".join(parts)


class BitReader:
    """Most significant bit first. Every method raises `ValueError` at the end of the bytes."""

    __slots__ = ("_bytes", "_end", "_position")

    def __init__(self, source: bytes) -> None:
        self._bytes = source
        self._position = 0
        self._end = len(source) * 8

    @property
    def bits_left(self) -> int:
        return self._end - self._position

    def u(self, count: int) -> int:
        """The next `count` bits, unsigned; u(n) of the standards."""
        start = self._position
        end = start + count
        if end > self._end:
            raise ValueError("the parameter set ends too early")
        self._position = end
        last = (end + 7) >> 3
        word = int.from_bytes(self._bytes[start >> 3 : last], "big")
        return (word >> (last * 8 - end)) & ((1 << count) - 1)

    def flag(self) -> bool:
        return self.u(1) == 1

    def skip(self, count: int) -> None:
        if count > self._end - self._position:
            raise ValueError("the parameter set ends too early")
        self._position += count

    def ue(self, maximum: int = 0xFFFFFFFE) -> int:
        """Unsigned exp-Golomb (H.264 9.1); more than `maximum` is refused."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("an exp-Golomb code is longer than 32 bits")
        value = (1 << zeros) - 1 + self.u(zeros)
        if value > maximum:
            raise ValueError(f"a value of {value} where at most {maximum} is allowed")
        return value

    def se(self) -> int:
        """Signed exp-Golomb (H.264 9.1.1)."""
        code = self.ue()
        return (code + 1) >> 1 if code & 1 else -(code >> 1)

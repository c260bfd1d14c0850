"""Finds the fragments of a growing file as its bytes come in. Used by the live hub and by transcodes' output.

Keeps header bytes only, never a frame: the caller has the bytes, or reads them again by offset and length.
"""

from __future__ import annotations

from dataclasses import dataclass

from .init import MAX_INIT_BYTES, init_length
from .moof import MAX_FRAGMENT_BYTES, MAX_MOOF_BYTES, read_fragment
from .sample_index import INDEX_UUID

_UUID_HEADER_BYTES = 24


@dataclass(frozen=True, slots=True)
class Fragment:
    """One whole `moof` with its `mdat`. Times in ticks of the track, since the Unix epoch."""

    offset: int
    length: int
    track: int
    decode_time: int
    is_keyframe: bool
    """Whether its first sample can be decoded alone; always so for audio."""
    duration: int = 0
    """As written: for a frame the prediction of when the next one comes."""


class FragmentScanner:
    """Give it every byte in order with `feed`.

    `init` and `offset` let it begin in the middle: `FragmentScanner(index.init, index.media_end)`. After a
    `ValueError` the bytes aren't fragmented MP4 and the scanner is of no more use."""

    def __init__(self, init: bytes | None = None, offset: int | None = None) -> None:
        self.init = init
        """`ftyp` and `moov`, once they are whole."""
        self.has_ended = False
        """Whether the sample index or `mfra` has begun: no fragment comes after it."""
        self._held = bytearray()
        self._position = offset if offset is not None else len(init or b"")
        self._skip = 0
        self._coming: Fragment | None = None

    @property
    def position(self) -> int:
        """Offset of the next byte to be fed."""
        return self._position + len(self._held)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Fragment]:
        """The fragments that became whole with these bytes. Raises `ValueError`."""
        found: list[Fragment] = []
        fed = 0
        size = len(data)
        while fed < size or self._held:
            if self.has_ended:
                self._position += len(self._held) + size - fed
                self._held.clear()
                break
            if self._skip:
                passed = min(self._skip, size - fed)
                self._skip -= passed
                self._position += passed
                fed += passed
                if self._skip:
                    break
                if self._coming is not None:
                    found.append(self._coming)
                    self._coming = None
                continue
            # What is looked at lies in `_held`; it gets the whole rest, and gives back what it has no use for.
            if fed < size:
                self._held += data[fed:]
                fed = size
            if not self._look(found):
                break
        return found

    def _look(self, found: list[Fragment]) -> bool:
        """Takes one box off the held bytes; False where more bytes are needed."""
        held = self._held
        if self.init is None:
            length = init_length(held)
            if length is None or length > len(held):
                if len(held) > MAX_INIT_BYTES:
                    raise ValueError("the init segment is too long")
                return False
            self.init = bytes(held[:length])
            self._drop(length)
            return True
        if len(held) < 8:
            return False
        size = int.from_bytes(held[:4], "big")
        kind = bytes(held[4:8])
        if kind == b"moof":
            if size > MAX_MOOF_BYTES:
                raise ValueError("a fragment header is too long")
            read = read_fragment(held, 0)
            if read is None:
                return False
            length, runs = read
            run = runs[0]
            fragment = Fragment(self._position, length, run.track, run.decode_time, run.sync[0], sum(run.durations))
            if length <= len(held):
                found.append(fragment)
            else:
                self._coming = fragment
            self._drop(length)
            return True
        if kind == b"uuid" and len(held) < _UUID_HEADER_BYTES:
            return False
        if kind == b"mfra" or (kind == b"uuid" and held[8:24] == INDEX_UUID):
            self.has_ended = True
            return True
        if kind not in (b"uuid", b"styp", b"sidx", b"free", b"skip", b"prft", b"emsg"):
            raise ValueError("something between fragments that doesn't belong there")
        if not 8 <= size <= MAX_FRAGMENT_BYTES:
            raise ValueError("the size of a box is wrong")
        self._drop(size)
        return True

    def _drop(self, length: int) -> None:
        here = min(length, len(self._held))
        del self._held[:here]
        self._position += here
        self._skip = length - here

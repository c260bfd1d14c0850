"""The faults of one stream that change what is sent: which frames, with which timestamps, in which
packets.

Owned by a `SimStream`, which asks it at each frame; a stream without faults pays a dictionary lookup for
it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .viewer import AUDIO_RTP, VIDEO_RTP, Burst

if TYPE_CHECKING:
    from .clip import ClipFrame
    from .stream import SimStream

GARBAGE_BYTES = 700


class Tamper:
    def __init__(self, stream: SimStream) -> None:
        self._stream = stream
        self._random = random.Random(1)  # noqa: S311 - noise that repeats in tests, no secret
        self._jumps: list[tuple[int, int]] = []
        self._is_broken = False
        self.jumped_ticks = 0
        """Sum of all timestamp jumps so far; sender reports follow it."""

    def plan_jumps(self, jumps: list[tuple[int, int]]) -> None:
        """Each jump before the frame that is so many frames from now."""
        self._jumps = sorted(jumps)

    def wrap_soon(self, seconds: float) -> None:
        """The 32-bit timestamp passes zero `seconds` from now."""
        self.jumped_ticks += (-int(seconds * 90_000) - self._stream.next_timestamp()) % 2**32

    def may_send(self, frame: ClipFrame) -> bool:
        faults = self._stream.faults.active
        if self._is_broken and not faults.keys() & {"drop-video", "freeze"}:
            self._is_broken = False
            self._stream.interrupt()
            return False
        if not faults:
            return True
        if "drop-video" in faults:
            self._is_broken = True
            return False
        return not (frame.is_keyframe and "no-keyframe" in faults)

    def picture_of(self, index: int) -> int:
        """Which frame of the clip is sent in the place of frame `index`: with `freeze` always the first one."""
        if "freeze" in self._stream.faults:
            self._is_broken = True
            return 0
        return index

    def next_jump(self) -> int:
        """What the next frame's timestamp is off by, in ticks."""
        if self._jumps:
            while self._jumps and self._jumps[0][0] <= 0:
                self.jumped_ticks += self._jumps.pop(0)[1]
            self._jumps = [(frames - 1, ticks) for frames, ticks in self._jumps]
        return self.jumped_ticks

    def spoil(self, burst: Burst) -> None:
        """Loss, disorder and garbage, on ready packets."""
        faults = self._stream.faults
        if not faults.active:
            return
        chance, packets = self._random, burst.packets
        if "garbage" in faults:
            burst.junk = chance.randbytes(GARBAGE_BYTES)
        if "garbage-nal" in faults:
            packets[:] = [
                (
                    slot,
                    header,
                    payload[:2] + chance.randbytes(len(payload) - 2) if slot == VIDEO_RTP else payload,
                )
                for slot, header, payload in packets
            ]
        if "loss" in faults:
            share = faults.number("loss", 0)
            packets[:] = [packet for packet in packets if packet[0] & 1 or chance.random() >= share]
        if "reorder" in faults:
            share = faults.number("reorder", 0)
            for at in range(len(packets) - 1):
                if packets[at][0] in (VIDEO_RTP, AUDIO_RTP) and chance.random() < share:
                    packets[at], packets[at + 1] = packets[at + 1], packets[at]

"""Decoding times from presentation times: RTP carries only the latter, a file needs both.

Used by the recorder of each stream. With a reorder depth of d the decoding time of a frame is the smallest
presentation time not yet given out, d frames late; so decoding times rise strictly, no frame is shown before
it is decoded, and presentation times stay exact (signed composition offsets, ISO 14496-12 8.6.1.3). Pure.
"""

from __future__ import annotations

from heapq import heappush, heappushpop

MAX_DEPTH = 16
"""Frames that can be out of order: the largest decoded picture buffer of H.264 (A.3.1) and H.265."""


class DecodeOrder:
    """State of one track in one run; times in ticks."""

    def __init__(self, depth: int, first: int, frame_ticks: int) -> None:
        """`first` is the presentation time of the first frame, `frame_ticks` the usual distance."""
        self.depth = min(depth, MAX_DEPTH)
        step = max(1, frame_ticks)
        self._waiting = [first - step * back for back in range(self.depth, 0, -1)]
        self._last = first - step * (self.depth + 1)

    def decode_time(self, presentation: int) -> int:
        """The decoding time of the next frame in decoding order; greater than the one before by at least 1."""
        if self.depth:
            decode = heappushpop(self._waiting, presentation)
        else:
            decode = presentation
        if decode <= self._last:
            if presentation <= self._last and self.depth < MAX_DEPTH:
                # Deeper than declared: hold one more frame back from now on.
                self.depth += 1
                heappush(self._waiting, self._last + 1)
            decode = self._last + 1
        self._last = decode
        return decode

"""Frames and bits per second of a stream over the last few seconds, sampled once a second."""

from __future__ import annotations

from collections import deque

WINDOW = 6
"""Samples kept: five seconds."""


class RateMeter:
    def __init__(self) -> None:
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=WINDOW)

    def sample(self, now_s: float, frames: int, total_bytes: int) -> tuple[float, int]:
        """(frames per second, bits per second) given the counters so far."""
        self._samples.append((now_s, frames, total_bytes))
        start_s, start_frames, start_bytes = self._samples[0]
        span_s = now_s - start_s
        if span_s <= 0:
            return 0.0, 0
        return round((frames - start_frames) / span_s, 2), int((total_bytes - start_bytes) * 8 / span_s)

"""Finding samples of one track by time; pure functions on `TrackSamples`, used by everything that reads footage.

Times are UTC ms of presentation, rounded down, so that what a segment's name or a timeline says is found again.
Sample arrays come from files, and files may be damaged: every search ends and stays within the arrays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from recorder.fmp4 import TrackSamples

REORDER_SAMPLES = 64
"""How far in decoding order a frame may lie from its place in output order; H.264 and H.265 allow 16."""


def presentation_ticks(track: TrackSamples, index: int) -> int:
    return track.decode_times[index] + track.cts_offsets[index]


def presentation_ms(track: TrackSamples, index: int) -> int:
    """UTC ms at which sample `index` is shown, rounded down."""
    return presentation_ticks(track, index) * 1000 // track.timescale


def end_ms(track: TrackSamples) -> int:
    """UTC ms, rounded up, at which the last shown frame ends (a prediction, see recorder/fmp4)."""
    return -(-shown_end_ticks(track, 0, len(track), None) * 1000 // track.timescale)


def shown_end_ticks(track: TrackSamples, first: int, stop: int, limit_ms: int | None) -> int:
    """Where the last of samples `[first, stop)` in output order ends, leaving out those shown from `limit_ms` on."""
    ends = [
        (presentation_ticks(track, index), track.durations[index])
        for index in range(max(first, stop - REORDER_SAMPLES), stop)
    ]
    if limit_ms is not None:
        limit = _first_tick(track, limit_ms)
        ends = [end for end in ends if end[0] < limit] or ends[:1]
    return max(ticks + duration for ticks, duration in ends)


def last_shown_ms(track: TrackSamples) -> int:
    """UTC ms of the last frame in output order."""
    count = len(track)
    return max(presentation_ms(track, index) for index in range(max(0, count - REORDER_SAMPLES), count))


def keyframe_at_or_before(track: TrackSamples, at_ms: int) -> int:
    """Index of the last keyframe shown at or before `at_ms`; the first keyframe where there is none."""
    keyframes = track.keyframes
    position = bisect_right(keyframes, at_ms, key=lambda index: presentation_ms(track, index))
    return keyframes[max(0, position - 1)]


def keyframe_after(track: TrackSamples, at_ms: int) -> int | None:
    """Index of the first keyframe shown after `at_ms`, None where there is none."""
    position = bisect_right(track.keyframes, at_ms, key=lambda index: presentation_ms(track, index))
    return track.keyframes[position] if position < len(track.keyframes) else None


def stop_before(track: TrackSamples, to_ms: int) -> int:
    """One past the last sample in decoding order that is shown before `to_ms`; 0 where there is none.

    With B-frames this takes in the few frames shown later that those before `to_ms` are decoded from."""
    to_ticks = _first_tick(track, to_ms)
    index = bisect_left(track.decode_times, to_ticks - min(track.cts_offsets, default=0))
    while index and presentation_ticks(track, index - 1) >= to_ticks:
        index -= 1
    return index


def frame_shown_at(track: TrackSamples, at_ms: int) -> int | None:
    """Index of the frame on the screen at `at_ms`: of those shown at or before it the latest one."""
    stop = stop_before(track, at_ms + 1)
    if not stop:
        return None
    limit = _first_tick(track, at_ms + 1)
    nearby = range(max(0, stop - REORDER_SAMPLES), stop)
    shown = [index for index in nearby if presentation_ticks(track, index) < limit]
    return max(shown, key=lambda index: presentation_ticks(track, index))


def first_decoded_at(track: TrackSamples, ticks: int) -> int:
    """Index of the first sample with decode time at or after `ticks`; for audio, that never reorders."""
    return bisect_left(track.decode_times, ticks)


def _first_tick(track: TrackSamples, at_ms: int) -> int:
    """The first tick that belongs to millisecond `at_ms`."""
    return -(-at_ms * track.timescale // 1000)

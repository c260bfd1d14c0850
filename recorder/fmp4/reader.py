"""Reads what a segment file holds, from its sample index or, where there is none, by walking the fragments.

Used by playback, salvage and checks, in any process. Files may be open and growing, torn by a crash, or foreign:
the answer is what is whole, or `ValueError`. Cost: two preads with an index; a walk looks at the headers only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .fragment import VIDEO_HEAD, VIDEO_HEADER_BYTES, VIDEO_STRUCT, VIDEO_TRAF, VIDEO_TRUN
from .init import AUDIO_TRACK, MAX_INIT_BYTES, VIDEO_TRACK, init_length, read_timescales
from .moof import MAX_FRAGMENT_BYTES, MAX_MOOF_BYTES, NON_SYNC, SampleRun, read_fragment
from .sample_index import SampleIndexBuilder, parse_sample_index, trailer_length
from .samples import MAX_JUMP_TICKS, MAX_SAMPLES, TrackLog, TrackSamples

_HEAD_BYTES = 4096
_TAIL_BYTES = 32 << 10
_WINDOW_BYTES = 64 << 10
"""Read at once in a walk. At 1.6 Mbit/s it holds 5 frames; more would copy media bytes for nothing."""
MAX_STEPS = 2 * MAX_SAMPLES
"""Fragments and other boxes a walk passes at most; bounds its time on a file made of tiny boxes."""
_SKIPPED = (b"styp", b"sidx", b"free", b"skip", b"prft", b"emsg")
"""Boxes that may stand between fragments; ours never do."""


@dataclass(slots=True)
class SegmentIndex:
    """What a file holds. `media_end` is where the last whole fragment ends: what follows is trailer or torn."""

    init: bytes
    video: TrackSamples | None
    audio: TrackSamples | None
    """None where the file has no such track."""
    media_start: int
    media_end: int
    is_complete: bool
    """Whether the file ends in a sound sample index."""

    def trailer(self) -> bytes:
        """What to append at `media_end` (after truncating there) to make an open or torn file complete."""
        builder = SampleIndexBuilder()
        for log, track in ((builder.video, self.video), (builder.audio, self.audio)):
            if track is not None and len(track):
                log.decode_times, log.cts_offsets = track.decode_times, track.cts_offsets
                log.sizes, log.offsets = track.sizes, track.offsets
                log.fragment_offsets, log.keyframes = track.fragment_offsets, track.keyframes
                log.last_duration = track.durations[-1]
        return builder.trailer(self.media_end, self.media_start)


def read_segment_index(fd: int) -> SegmentIndex:
    """Raises `ValueError` where the file doesn't begin with a whole init segment, `OSError` where reading fails.
    The file's position is left alone."""
    file_size = os.fstat(fd).st_size
    head = os.pread(fd, _HEAD_BYTES, 0)
    media_start = init_length(head)
    if media_start is None or media_start > min(file_size, MAX_INIT_BYTES):
        raise ValueError("the init segment is cut off")
    init = head[:media_start] if media_start <= len(head) else os.pread(fd, media_start, 0)
    if len(init) != media_start:
        raise ValueError("the init segment is cut off")
    tracks = read_timescales(init)
    timescales = tracks.get(VIDEO_TRACK, (b"", 0))[1], tracks.get(AUDIO_TRACK, (b"", 0))[1]
    trailer = _read_trailer(fd, file_size)
    found = None
    if trailer:
        media_end = file_size - len(trailer)
        try:
            found = parse_sample_index(trailer, media_start, media_end, timescales)
        except ValueError:
            pass  # a damaged index costs a walk, not the footage
    is_complete = found is not None
    if found is None:
        builder = SampleIndexBuilder()
        media_end = _Walk(fd, file_size, builder).run(media_start)
        found = builder.video.finish(timescales[0]), builder.audio.finish(timescales[1])
    video = found[0] if VIDEO_TRACK in tracks else None
    audio = found[1] if AUDIO_TRACK in tracks else None
    return SegmentIndex(init, video, audio, media_start, media_end, is_complete)


def _read_trailer(fd: int, file_size: int) -> bytes:
    wanted = min(_TAIL_BYTES, file_size)
    for _ in range(3):
        tail = os.pread(fd, wanted, file_size - wanted)
        length = trailer_length(tail)
        if length is None or abs(length) > file_size or len(tail) != wanted:
            return b""
        if 0 < length <= wanted:
            return tail[-length:]
        wanted = abs(length)
    return b""


class _Walk:
    """From fragment to fragment until something isn't whole."""

    def __init__(self, fd: int, file_size: int, builder: SampleIndexBuilder) -> None:
        self._fd = fd
        self._file_size = file_size
        self._logs = {VIDEO_TRACK: builder.video, AUDIO_TRACK: builder.audio}
        self._window = b""
        self._window_start = 0

    def run(self, position: int) -> int:
        """Where the last whole fragment ends."""
        media_end = position
        video = self._logs[VIDEO_TRACK]
        file_size = self._file_size
        own = VIDEO_HEAD, VIDEO_TRAF, VIDEO_TRUN, b"mdat"
        unpack = VIDEO_STRUCT.unpack_from
        for _ in range(MAX_STEPS):
            at = position - self._window_start
            if not 0 <= at <= len(self._window) - VIDEO_HEADER_BYTES:
                self._read(position, _WINDOW_BYTES)
                at = 0
                if len(self._window) < 8:
                    return media_end
            window = self._window
            if len(window) - at >= VIDEO_HEADER_BYTES:
                head, _, traf, time, trun, duration, size, flags, cts, mdat_size, mdat = unpack(window, at)
                if (head, traf, trun, mdat) == own and mdat_size == size + 8 and size <= MAX_FRAGMENT_BYTES:
                    end = position + VIDEO_HEADER_BYTES + size
                    if end > file_size or not _may_follow(video, time):
                        return media_end
                    start = position + VIDEO_HEADER_BYTES
                    video.add_frame(position, start, size, time, duration, cts, not flags & NON_SYNC)
                    position = media_end = end
                    continue
            try:
                length, runs = self._fragment(position)
            except ValueError:
                return media_end
            if length <= 0 or position + length > file_size or not self._add(position, runs):
                return media_end
            position += length
            if runs:
                media_end = position
        return media_end

    def _read(self, position: int, size: int) -> None:
        self._window = os.pread(self._fd, size, position)
        self._window_start = position

    def _fragment(self, position: int) -> tuple[int, list[SampleRun]]:
        """Length and runs of what is at `position`; no runs for a box that is skipped."""
        at = position - self._window_start
        kind = self._window[at + 4 : at + 8]
        size = int.from_bytes(self._window[at : at + 4], "big")
        if kind in _SKIPPED and size >= 8:
            return size, []
        if kind != b"moof" or size > MAX_MOOF_BYTES:
            raise ValueError("no fragment")
        found = read_fragment(self._window, at)
        if found is None:
            self._read(position, max(size + 16, _WINDOW_BYTES))
            found = read_fragment(self._window, 0)
        if found is None:
            raise ValueError("a fragment is cut off")
        return found

    def _add(self, position: int, runs: list[SampleRun]) -> bool:
        for run in runs:
            log = self._logs.get(run.track)
            if log is None:
                continue
            if not _may_follow(log, run.decode_time) or sum(run.durations) > MAX_JUMP_TICKS:
                return False
            time, offset = run.decode_time, position + run.offset
            if run.track == AUDIO_TRACK and not any(run.cts_offsets):
                log.add_run(position, offset, run.sizes, time, run.durations)
                continue
            for size, duration, cts, is_sync in zip(run.sizes, run.durations, run.cts_offsets, run.sync, strict=True):
                log.add_frame(position, offset, size, time, duration, min(cts, 0x7FFFFFFF), is_sync)
                time += duration
                offset += size
        return True


def _may_follow(log: TrackLog, decode_time: int) -> bool:
    """Whether a sample of this decode time can be the next of the track; if not, the file is damaged there."""
    count = len(log.sizes)
    if not count:
        return decode_time < 1 << 62
    return count < MAX_SAMPLES and abs(decode_time - log.decode_times[-1]) < MAX_JUMP_TICKS

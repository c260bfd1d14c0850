"""The audio track of one run: packets gathered into fragments, their times kept in step with the video.

Used by the recorder of a stream. With sender reports of both tracks (RFC 3550 6.4.1) the camera says itself
which sound belongs to which picture; without, arrival decides as it does for video. Decode times are
contiguous while nothing is missing and are steered by at most 500 ppm, so a sound card's drift never adds up.
Event loop only.
"""

from __future__ import annotations

from collections.abc import Callable

from recorder.capture.clock import RunClock, WallClock
from recorder.fmp4 import audio_fragment_header
from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters

FLUSH_WITH_VIDEO_S = 0.06
FLUSH_S = 0.2
TOLERANCE_S = 0.02
"""A time this near to the end of the packet before counts as contiguous (an AAC frame lasts 0.02 s)."""
REMAP_PACKETS = 64
"""The mapping from sender reports is taken anew every so many packets: about once a second."""
BACKLOG_S = 1.0
"""Sound this far ahead of its time is put back at once instead of being steered."""

Emit = Callable[[bytes, bytes, list[int], int, list[int]], None]
"""(fragment header, samples, sizes, decode time, durations)."""


class SenderReports:
    """What the two tracks' last sender reports say; `(ntp_ns, timestamp)` or None."""

    def __init__(self) -> None:
        self.video: tuple[int, int] | None = None
        self.audio: tuple[int, int] | None = None


class AudioTrack:
    def __init__(
        self,
        parameters: AudioParameters,
        wall: WallClock,
        reports: SenderReports,
        video_clock: RunClock,
        next_sequence: Callable[[], int],
        emit: Emit,
    ) -> None:
        self.parameters = parameters
        self._rate_hz = parameters.sample_rate_hz
        self._wall = wall
        self._reports = reports
        self._video_clock = video_clock
        self._next_sequence = next_sequence
        self._emit = emit
        self._clock: RunClock | None = None
        self._mapping: int | None = None
        self._mapped_packets = 0
        self._next: int | None = None
        self._credit = 0
        self._tolerance = int(TOLERANCE_S * self._rate_hz)
        self._flush_with_video = int(FLUSH_WITH_VIDEO_S * self._rate_hz)
        self._flush_at = int(FLUSH_S * self._rate_hz)
        self._start = 0
        self._samples: list[bytes | bytearray] = []
        self._durations: list[int] = []
        self._waiting = 0

    def add(self, sample: bytes | bytearray, timestamp: int, duration: int, arrived_ns: int) -> None:
        """One packet; called some 50 times a second."""
        mapped = self._map(timestamp, arrived_ns)
        expected = self._next
        if expected is None:
            expected = mapped
        error = mapped - expected
        if -self._tolerance <= error <= self._tolerance:
            start = expected
            self._credit += duration  # 500 ppm: one tick in 2000
            if self._credit >= 2000 and error and not self._samples:
                start += min(self._credit // 2000, abs(error)) * (1 if error > 0 else -1)
                self._credit = 0
        else:
            self.flush()
            # Never before what is written; sound that lies ahead catches up by being laid closer.
            start = mapped if error > 0 else max(mapped, expected - duration // 2)
        if not self._samples:
            self._start = start
        self._next = start + duration
        self._samples.append(sample)
        self._durations.append(duration)
        self._waiting += duration
        if self._waiting >= self._flush_at:
            self.flush()

    def _map(self, timestamp: int, arrived_ns: int) -> int:
        """The time of a packet in ticks since the epoch."""
        if self._mapped_packets % REMAP_PACKETS == 0:
            self._mapping = self._mapping_by_reports()
        self._mapped_packets += 1
        if self._mapping is not None:
            return timestamp + self._mapping
        if self._clock is None:
            self._clock = RunClock(self._wall, self._rate_hz, [(timestamp, arrived_ns)])
        return self._clock.stamp(timestamp, arrived_ns)

    def _mapping_by_reports(self) -> int | None:
        """Ticks to add to an audio timestamp, by way of the camera's clock and the video's stamps."""
        video, audio = self._reports.video, self._reports.audio
        if video is None or audio is None:
            return None
        video_ntp_ns, video_timestamp = video
        audio_ntp_ns, audio_timestamp = audio
        at = video_timestamp + self._video_clock.offset + (audio_ntp_ns - video_ntp_ns) * VIDEO_CLOCK_HZ // 10**9
        mapping = at * self._rate_hz // VIDEO_CLOCK_HZ - audio_timestamp
        arrival = self._wall.now_ns() * self._rate_hz // 10**9
        is_sane = abs(audio_timestamp + mapping - arrival) < 60 * self._rate_hz
        return mapping if is_sane else None

    def before_video(self) -> None:
        """A video frame is about to be written: sound that waited long enough goes first."""
        if self._waiting >= self._flush_with_video:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one fragment."""
        if not self._samples:
            return
        sizes = [len(sample) for sample in self._samples]
        header = audio_fragment_header(self._next_sequence(), self._start, sizes, self._durations)
        self._emit(header, b"".join(self._samples), sizes, self._start, self._durations)
        self._samples = []
        self._durations = []
        self._waiting = 0

"""From samples to segments: the recorder of one stream, fed by its source on the event loop.

Gives every frame its time, begins and cuts segments at keyframes, and tells the journal where runs and gaps
begin and end. The hot path is `on_video`: no allocation beyond the fragment's header, no lock, no system call
(the volume's thread writes). Invariants: a segment begins with a keyframe and holds one set of parameters; a
run's segments neither overlap nor leave a hole; whatever isn't recorded lies in a gap.
"""

from __future__ import annotations

import logging
import time
import uuid
import zlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.capture.audio import AudioTrack, SenderReports
from recorder.capture.clock import RunClock, WallClock
from recorder.capture.decode_order import DecodeOrder
from recorder.capture.desired import StreamSpec
from recorder.capture.gaps import GapLedger
from recorder.capture.segment import OpenSegment, SegmentPlan, VolumeError
from recorder.capture.status import StreamStatus
from recorder.capture.volume import Volume
from recorder.causes import EndReason, GapCause
from recorder.errors import CameraError, ErrorCode
from recorder.fmp4 import build_init, video_fragment_header
from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters, VideoParameters

HOLD_NS = 200_000_000
"""Samples of the first moment are held so long: a camera that starts with a burst of its last GOP would otherwise
set the clock wrong by its length (sane: 0.1 to 0.5 s; the first picture waits as long)."""
MAX_HELD_SAMPLES = 2000
NO_KEYFRAME_NS = 10_000_000_000
HOLE_TICKS = VIDEO_CLOCK_HZ // 5
"""Missing footage from 200 ms on is a gap of its own, if it's also three times the usual distance of frames."""
MAX_FRAME_TICKS = VIDEO_CLOCK_HZ * 10
MAX_SEGMENT_BYTES = 3 << 30
"""A stream that never sends another keyframe is reconnected when its segment has grown to this."""
BUFFER_SEGMENT_S = 10

log = logging.getLogger("capture.stream")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a recorder needs of its shard."""

    wall: WallClock
    journal: Callable[[str, dict[str, Any]], None]
    choose_volume: Callable[[StreamSpec], Volume]
    """Where to begin a segment; raises `VolumeError` when no volume takes it."""
    live_directory: Path
    on_change: Callable[[], None]
    """A state changed: write the status file soon."""


def ticks_to_ns(ticks: int) -> int:
    return ticks * 100_000 // 9


class Recorder:
    """A `SampleSink` that outlives connections."""

    def __init__(
        self,
        spec: StreamSpec,
        status: StreamStatus,
        surroundings: Surroundings,
        *,
        fail: Callable[[CameraError], None],
    ) -> None:
        """`fail` ends the connection with an error (called on the event loop)."""
        self.spec = spec
        self.status = status
        self.frames = 0
        self.bytes = 0
        self.last_stamp = 0
        self.ended_ns = 0
        """End of what is recorded, 0 for nothing yet."""
        self.good_since_s: float | None = None
        """Monotonic time since which this connection records."""
        self.gaps = GapLedger(spec, surroundings.journal)
        self._surroundings = surroundings
        self._wall = surroundings.wall
        self._fail = fail
        self._segment_ticks = spec.segment_s * VIDEO_CLOCK_HZ
        self._is_sub = spec.stream != "main"
        self._is_first_segment = True
        self._volume: Volume | None = None
        self._sequence = 0
        self._past_discontinuities = 0
        self._clock: RunClock | None = None
        self.forget_connection()

    @property
    def discontinuities(self) -> int:
        """Jumps of the camera's clock straightened out since the shard started."""
        return self._past_discontinuities + (self._clock.discontinuities if self._clock else 0)

    @property
    def volume(self) -> Volume | None:
        """Where the open segment lies, None when there is none."""
        return self._volume if self._segment is not None else None

    def cut_soon(self) -> None:
        """Begin the next segment at the next keyframe, on whatever volume is best then."""
        self._must_cut = True

    # The connection.

    def forget_connection(self) -> None:
        """A new connection: other timestamps, perhaps other parameters."""
        self._past_discontinuities = self.discontinuities
        self._clock = None
        self._order: DecodeOrder | None = None
        self._audio: AudioTrack | None = None
        self._reports = SenderReports()
        self._video_parameters: VideoParameters | None = None
        self._audio_parameters: AudioParameters | None = None
        self._held: list[tuple[Callable[..., None], tuple]] = []
        self._held_video: list[tuple[int, int]] = []
        self._waiting_since_ns = 0
        self._segment: OpenSegment | None = None
        self._run: str | None = None
        self._init = b""
        self._must_cut = False
        self._must_renew_run = False
        self._cut_at = 0
        self._last_decode = 0
        self._lost_packets = 0
        self.good_since_s = None

    def disconnect(
        self,
        reason: EndReason,
        cause: GapCause | None,
        detail: str,
        *,
        is_preliminary: bool = False,
        is_shutdown: bool = False,
    ) -> None:
        """The connection ended: close the run, open a gap (none for `cause` None)."""
        self._release_held()
        end_ns = self._end_run(reason, is_shutdown=is_shutdown)
        if cause is not None:
            start_ns = end_ns or self.ended_ns or self._wall.now_ns()
            self.gaps.open(start_ns, cause, detail, is_preliminary=is_preliminary)
        self.forget_connection()

    # SampleSink.

    def on_parameters(self, video: VideoParameters | None, audio: AudioParameters | None) -> None:
        if self._held:
            self._release_held()
        if video is not None and video != self._video_parameters:
            self._must_cut = self._video_parameters is not None
            self._must_renew_run |= self._must_cut
            self._video_parameters = video
            status = self.status
            status.codec, status.width_px, status.height_px = video.codec, video.width_px, video.height_px
            self._init = b""
        if audio != self._audio_parameters:
            self._must_cut |= self._audio_parameters is not None or self._segment is not None
            if self._audio is not None:
                self._audio.flush()
                self._audio = None
            self._audio_parameters = audio
            self.status.audio_codec = audio.codec if audio else None
            self._init = b""

    def on_video(self, sample: bytes | bytearray, timestamp: int, is_keyframe: bool, arrived_ns: int) -> None:
        clock = self._clock
        if clock is None:
            self._hold(self.on_video, (sample, timestamp, is_keyframe, arrived_ns), timestamp, arrived_ns)
            return
        stamp = clock.stamp(timestamp, arrived_ns)
        if is_keyframe and (
            stamp >= self._cut_at or self._must_cut or self._segment is None or self._wall.steps != clock.wall_steps
        ):
            stamp = self._cut(stamp, timestamp, arrived_ns)
        segment = self._segment
        if segment is None:
            self._wait_for_keyframe(arrived_ns)
            return
        volume = self._volume
        if volume.overload and (volume.overload > 1 or self._is_sub):
            self._break_run(
                EndReason.DISK,
                GapCause.OVERLOAD,
                "The disk is too slow; whole groups of pictures are dropped.",
            )
            return
        decode = self._order.decode_time(stamp)
        step = decode - self._last_decode
        if step > HOLE_TICKS:
            step = self._judge_hole(step, decode)
        self._last_decode = decode
        audio = self._audio
        if audio is not None:
            audio.before_video()
        size = len(sample)
        self._sequence = sequence = self._sequence + 1
        cts_offset = stamp - decode
        header = video_fragment_header(sequence, decode, step, size, is_keyframe, cts_offset)
        offset = segment.offset
        sample_offset = offset + len(header)
        segment.index.add_video(offset, sample_offset, size, decode, step, cts_offset, is_keyframe)
        segment.offset = sample_offset + size
        segment.frames += 1
        volume.append(segment, header, sample)
        self.frames += 1
        self.bytes += size
        self.last_stamp = stamp
        if is_keyframe:
            segment.keyframes += 1
            self.status.last_keyframe_ns = stamp * 100_000 // 9

    def on_audio(self, sample: bytes | bytearray, timestamp: int, duration: int, arrived_ns: int) -> None:
        audio = self._audio
        if audio is not None:
            audio.add(sample, timestamp, duration, arrived_ns)
        elif self._clock is None:
            if self._held:
                self._hold(self.on_audio, (sample, timestamp, duration, arrived_ns))
        elif self._segment is not None and self._audio_parameters is not None and not self._must_cut:
            self._audio = AudioTrack(
                self._audio_parameters,
                self._wall,
                self._reports,
                self._clock,
                self._next_sequence,
                self._write_audio,
            )
            self._audio.add(sample, timestamp, duration, arrived_ns)

    def on_loss(self, packets: int) -> None:
        self.status.lost_packets += packets
        self._lost_packets += packets

    def on_sender_report(self, is_video: bool, ntp_ns: int, timestamp: int, arrived_ns: int) -> None:
        if is_video:
            self._reports.video = (ntp_ns, timestamp)
        else:
            self._reports.audio = (ntp_ns, timestamp)

    # The first moment.

    def _hold(self, deliver: Callable[..., None], sample: tuple, timestamp: int = 0, arrived_ns: int = 0) -> None:
        self._held.append((deliver, sample))
        if deliver == self.on_video:
            self._held_video.append((timestamp, arrived_ns))
        has_waited = self._held_video and arrived_ns - self._held_video[0][1] >= HOLD_NS
        if has_waited or len(self._held) >= MAX_HELD_SAMPLES:
            self._release_held()

    def _release_held(self) -> None:
        """Anchor the clock to what is held and record it."""
        if not self._held_video:
            self._held = []
            return
        held, self._held = self._held, []
        self._anchor(self._held_video)
        self._held_video = []
        for deliver, sample in held:
            deliver(*sample)

    def _anchor(self, first: list[tuple[int, int]]) -> None:
        parameters = self._video_parameters
        frame_rate = parameters.frame_rate if parameters else None
        frame_ticks = int(VIDEO_CLOCK_HZ / frame_rate) if frame_rate and 0.1 < frame_rate < 500 else 0
        depth = parameters.reorder_depth if parameters else 0
        end_ticks = self.ended_ns * 9 // 100_000 + 1
        is_just_before = 0 <= end_ticks - self._wall.now_ns() * 9 // 100_000 + 30 * VIDEO_CLOCK_HZ < 60 * VIDEO_CLOCK_HZ
        self._clock = RunClock(
            self._wall,
            VIDEO_CLOCK_HZ,
            first,
            not_before=end_ticks if is_just_before else 0,
            frame_ticks=frame_ticks if len(first) < 3 else 0,
            reorder_depth=depth,
        )

    # Segments and runs.

    def _cut(self, stamp: int, timestamp: int, arrived_ns: int) -> int:
        """A keyframe that begins a segment (and maybe a run); returns its stamp, which a new clock may change."""
        parameters = self._video_parameters
        if parameters is None:
            return stamp
        clock = self._clock
        has_stepped = self._wall.steps != clock.wall_steps
        if self._audio is not None:
            self._audio.flush()
        if self._run is not None and (has_stepped or self._must_renew_run):
            self._end_run(EndReason.CLOCK_STEP if has_stepped else EndReason.PARAMETERS, end_ticks=stamp)
        if has_stepped:
            old_depth = clock.reorder_depth
            self._clock = clock = RunClock(
                self._wall,
                VIDEO_CLOCK_HZ,
                [(timestamp, arrived_ns)],
                frame_ticks=clock.frame_ticks,
                reorder_depth=old_depth,
            )
            self._audio = None
            stamp = clock.stamp(timestamp, arrived_ns)
            if ticks_to_ns(stamp) - self.ended_ns > 1_000_000_000:
                self.gaps.note(self.ended_ns, ticks_to_ns(stamp), GapCause.CLOCK_STEP, "The server's clock was set.")
        self._must_cut = self._must_renew_run = False
        start_ns = ticks_to_ns(stamp)
        try:
            volume = self._surroundings.choose_volume(self.spec)
        except VolumeError as err:
            self._break_run(EndReason.DISK, err.cause, str(err), at_ns=start_ns)
            return stamp
        if self._run is None:
            self._begin_run(start_ns, volume)
            self._order = DecodeOrder(max(parameters.reorder_depth, clock.reorder_depth), stamp, clock.frame_ticks)
            self._last_decode = 0
        if not self._init:
            self._init = build_init(parameters, self._audio_parameters)
        live = self._surroundings.live_directory / self.spec.key
        plan = SegmentPlan(
            self.spec.key,
            self.spec.camera,
            self.spec.stream,
            self.spec.epoch,
            self._run,
            start_ns,
            self._init,
            parameters,
            self._audio_parameters,
            live,
        )
        segment = OpenSegment(plan, self._on_segment_failure)
        predecessor = None
        if self._segment is not None:
            predecessor = (self._volume, self._segment, start_ns)
            self._segment.end_ns = start_ns
        volume.begin(segment, predecessor)
        self._segment, self._volume = segment, volume
        self._cut_at = stamp + self._length_ticks()
        return stamp

    def _length_ticks(self) -> int:
        """Length of the segment that begins: the first one is shorter, so that streams don't all cut at once."""
        length = BUFFER_SEGMENT_S * VIDEO_CLOCK_HZ if self._volume.spec.is_buffer else self._segment_ticks
        if self._is_first_segment:
            self._is_first_segment = False
            length = length * (20 + zlib.crc32(self.spec.key.encode()) % 80) // 100
        return length

    def _begin_run(self, start_ns: int, volume: Volume) -> None:
        self._run = str(uuid.uuid4())
        self._surroundings.journal(
            "run_started",
            {
                "run": self._run,
                "camera": self.spec.camera,
                "stream": self.spec.stream,
                "epoch": self.spec.epoch,
                "started_ns": start_ns,
                "time_source": "server" if self._wall.is_trusted else "untrusted",
                "error_ms": 100,
                "is_buffer": volume.spec.is_buffer,
            },
        )
        self.gaps.close(start_ns)
        if self.good_since_s is None:
            self.good_since_s = time.monotonic()
        status = self.status
        status.run = self._run
        status.retry_at_ns = None
        self._set_state("live" if volume.spec.is_buffer else "recording")

    def _end_run(self, reason: EndReason, *, end_ticks: int = 0, is_shutdown: bool = False) -> int:
        """Close segment and run; returns the end in ns, 0 where nothing ran."""
        if self._audio is not None and self._segment is not None:
            self._audio.flush()
        if self._run is None:
            return 0
        if not end_ticks:
            end_ticks = self._clock.last_stamp + max(1, self._clock.frame_ticks)
        end_ns = ticks_to_ns(end_ticks)
        if self._segment is not None:
            self._volume.end(self._segment, end_ns)
            self._segment = None
        entry: dict[str, Any] = {"run": self._run, "ended_ns": end_ns, "reason": str(reason)}
        if is_shutdown:
            entry["is_shutdown"] = True
        self._surroundings.journal("run_ended", entry)
        self._run = self.status.run = None
        self.ended_ns = end_ns
        return end_ns

    def _break_run(self, reason: EndReason, cause: GapCause, detail: str, *, at_ns: int = 0) -> None:
        """Stop recording until the next keyframe finds a volume; the connection stays."""
        end_ns = self._end_run(reason) or at_ns or self.ended_ns
        self.gaps.open(end_ns, cause, detail)
        self._audio = None
        self._set_state("error", detail)

    def _on_segment_failure(self, segment: OpenSegment, error: VolumeError) -> None:
        log.warning("%s: %s", self.spec.key, error)
        if segment is not self._segment:
            return
        # What the thread didn't get to write is lost.
        log_of_frames = segment.index.video
        written = bisect_left(log_of_frames.fragment_offsets, segment.written_bytes)
        lost_from = log_of_frames.decode_times[written] if written < len(log_of_frames) else self._clock.last_stamp
        lost_from_ns = ticks_to_ns(lost_from)
        segment.end_ns = lost_from_ns  # salvage tells what of it the disk kept
        self.status.dropped_frames += len(log_of_frames) - written
        self._segment = None
        self._end_run(EndReason.DISK, end_ticks=lost_from)
        self._audio = None
        self.gaps.open(lost_from_ns, error.cause, str(error))
        self._set_state("error", str(error))

    # Rare things of the hot path.

    def _wait_for_keyframe(self, arrived_ns: int) -> None:
        if self._volume is not None and self.gaps.cause in (
            GapCause.OVERLOAD,
            GapCause.DISK_FULL,
            GapCause.DISK_LOST,
        ):
            self.status.dropped_frames += 1
            return
        if not self._waiting_since_ns:
            self._waiting_since_ns = arrived_ns
        elif arrived_ns - self._waiting_since_ns > NO_KEYFRAME_NS:
            self._waiting_since_ns = arrived_ns
            self._fail(CameraError(ErrorCode.NO_KEYFRAME, "The camera sends video, but no keyframe within 10 s."))

    def _judge_hole(self, step: int, decode: int) -> int:
        """The duration to write for a frame after `step` ticks; a hole in the run becomes a gap of its own."""
        if not self._last_decode:
            return max(1, self._clock.frame_ticks)
        if step > 3 * self._clock.frame_ticks:
            cause, detail = GapCause.STALLED, "The camera sent nothing for a moment."
            if self._lost_packets:
                cause, detail = GapCause.BAD_STREAM, f"{self._lost_packets} packets were lost on the way."
            start = self._last_decode + self._clock.frame_ticks
            self.gaps.note(ticks_to_ns(start), ticks_to_ns(decode), cause, detail)
            step = max(1, self._clock.frame_ticks)
        self._lost_packets = 0
        if self._segment.offset > MAX_SEGMENT_BYTES:
            self._fail(CameraError(ErrorCode.NO_KEYFRAME, "The camera sends no more keyframes."))
        return min(step, MAX_FRAME_TICKS)

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _write_audio(self, header: bytes, samples: bytes, sizes: list[int], decode: int, durations: list[int]) -> None:
        segment = self._segment
        if segment is None:
            return
        offset = segment.offset
        segment.index.add_audio(offset, offset + len(header), sizes, decode, durations)
        segment.offset = offset + len(header) + len(samples)
        self._volume.append(segment, header, samples)
        self.bytes += len(samples)

    def _set_state(self, state: str, detail: str = "") -> None:
        status = self.status
        if status.state != state or status.state_detail != detail:
            status.state, status.state_detail = state, detail
            status.error_code = None
            status.since_ns = self._wall.now_ns()
            self._surroundings.on_change()
            log.info("%s: %s%s", self.spec.key, state, f" ({detail})" if detail else "")

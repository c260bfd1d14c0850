"""One stream of one camera while somebody watches it: paces the clip by the clock, stamps frames, and
sends bursts.

A *run* is the clip played from its first frame, over and over; it begins with the first viewer and anew
after a fault that breaks the picture. Frame k is due at the run's start plus its decoding time: no drift,
whatever the timers do. RTP timestamps tell the time since the stream's origin, so they go on evenly over
loops, and over runs by the time that passed. Frames are counted once for all viewers, who share SSRC and
sequence numbers; who comes later begins with the next keyframe.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field

from .bitstream import build_stamp
from .clip import VIDEO_CLOCK_HZ, Clip
from .faults import FaultState
from .ledger import Ledger
from .rtp import (
    AUDIO_PAYLOAD_TYPES,
    VIDEO_PAYLOAD_TYPE,
    packetize_audio,
    packetize_nal,
    rtp_header,
    sender_report,
)
from .tamper import Tamper
from .viewer import AUDIO_RTCP, AUDIO_RTP, VIDEO_RTCP, VIDEO_RTP, Burst, Viewer

logger = logging.getLogger(__name__)

REPORT_INTERVAL_NS = 5_000_000_000
"""Between RTCP sender reports (RFC 3550 6.2 recommends at least 5 s)."""
MAX_LATE_NS = 1_000_000_000
"""A stream that is later than this (the process was stopped) begins a new run instead of a flood."""
IDLE_CHECK_S = 0.02


@dataclass(slots=True)
class Track:
    """Counters of one RTP stream."""

    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    sequence: int = field(default_factory=lambda: secrets.randbits(16))
    base: int = field(default_factory=lambda: secrets.randbits(31))
    packets: int = 0
    octets: int = 0


def _ns(ticks: int, clock_hz: int = VIDEO_CLOCK_HZ) -> int:
    return ticks * 1_000_000_000 // clock_hz


class SimStream:
    def __init__(
        self, name: str, clip: Clip, faults: FaultState, ledger: Ledger | None = None, phase: float = 0.0
    ) -> None:
        self.name = name
        self.clip = clip
        self.faults = faults
        self.viewers: set[Viewer] = set()
        self.video, self.audio = Track(), Track()
        self.frames_sent = 0
        self.tamper = Tamper(self)
        self._ledger = ledger
        self._phase = phase
        self._origin_ns = 0
        self._counter = 0
        self._audio_index = 0
        self._run_ticks: int | None = None
        self._loop = self._frame = 0
        self._report_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    # Viewers

    def attach(self, viewer: Viewer) -> None:
        self.viewers.add(viewer)
        if self._timer is None:
            if self._run_ticks is None:
                self._begin_run(time.monotonic_ns())
            self._schedule()
        self._report_ns = 0  # a report with the next frame, so that the newcomer knows the camera's clock

    def detach(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        if not self.viewers:
            self.stop()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._run_ticks = None, None

    def start_of_new_viewer(self) -> tuple[int, int]:
        """Sequence number and RTP timestamp of the first video packet a viewer who joins now will get (RTP-Info)."""
        if self._timer is None or self._run_ticks is None:
            self._begin_run(time.monotonic_ns())
        sequence, loop, index = self.video.sequence, self._loop, self._frame
        frames, packetized = self.clip.frames, self.clip.packetized
        while not frames[index].is_keyframe:
            sequence += len(packetized[index].before) + len(packetized[index].after) + self.clip.is_stamped
            loop, index = (loop, index + 1) if index + 1 < len(frames) else (loop + 1, 0)
        return sequence & 0xFFFF, (self._timestamp(loop, index) + self.tamper.jumped_ticks) & 0xFFFFFFFF

    def next_timestamp(self) -> int:
        """RTP timestamp of the next frame."""
        return (self._timestamp(self._loop, self._frame) + self.tamper.jumped_ticks) & 0xFFFFFFFF

    def replace_clip(self, clip: Clip) -> None:
        """The camera was set to another size or codec; goes on with the new clip's first frame."""
        self.clip = clip
        self.interrupt()

    def interrupt(self) -> None:
        """What is sent next is a keyframe: the picture was broken."""
        self._run_ticks = None

    # Pace

    def _begin_run(self, now_ns: int) -> None:
        """The clip's first frame is due at the next instant of this camera's phase: cameras don't send together."""
        if not self._origin_ns:
            self._origin_ns = now_ns
        step_ns = round(1e9 / self.clip.frame_rate)
        start_ns = now_ns + (round(self._phase * step_ns) - now_ns) % step_ns
        self._run_ticks = (start_ns - self._origin_ns) * VIDEO_CLOCK_HZ // 1_000_000_000
        self._loop = self._frame = 0
        self._report_ns = 0
        audio = self.clip.audio
        if audio is not None:
            played = self._run_ticks * audio.sample_rate_hz // (VIDEO_CLOCK_HZ * audio.unit_ticks) + 1
            self._audio_index = max(self._audio_index, played)

    def _due_ns(self) -> int:
        if self._run_ticks is None:
            raise RuntimeError("no run")
        ticks = self._run_ticks + self._loop * self.clip.loop_ticks + self.clip.frames[self._frame].decode_ticks
        return self._origin_ns + _ns(ticks)

    def _timestamp(self, loop: int, index: int) -> int:
        """Unwrapped RTP timestamp: when the picture was taken, which with B-frames is before it is sent."""
        clip = self.clip
        frame = clip.frames[index]
        ticks = (self._run_ticks or 0) + loop * clip.loop_ticks + frame.decode_ticks
        return self.video.base + ticks + frame.cts_ticks - clip.reorder_ticks

    def _schedule(self) -> None:
        delay_s = IDLE_CHECK_S if self._run_ticks is None else (self._due_ns() - time.monotonic_ns()) / 1e9
        self._timer = asyncio.get_running_loop().call_later(max(0.0, delay_s), self._tick)

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        if self.faults.is_mute:
            self._run_ticks = None
        elif self._run_ticks is None or now_ns - self._due_ns() > MAX_LATE_NS:
            self._begin_run(now_ns)
        if self._run_ticks is not None:
            # 1 ms: what uvloop's timers round off
            while self._run_ticks is not None and self._due_ns() <= now_ns + 1_000_000:
                self._send_due()
        if self.viewers:
            self._schedule()
        else:
            self._timer = None

    # Sending

    def _send_due(self) -> None:
        burst, due_ns = Burst(), self._due_ns()
        index = self._frame
        is_picture = self.tamper.may_send(self.clip.frames[index])
        if is_picture and self.clip.frames[index].is_keyframe:
            for viewer in self.viewers:
                viewer.is_waiting = False
        if self.clip.audio is not None:
            self._add_audio(burst, due_ns)
        if is_picture:
            self._add_frame(burst, index)
        self._add_reports(burst)
        self._frame += 1
        if self._frame == len(self.clip.frames):
            self._loop, self._frame = self._loop + 1, 0
        self.tamper.spoil(burst)
        starts_anywhere = "no-keyframe" in self.faults or "drop-video" in self.faults
        for viewer in list(self.viewers):
            if starts_anywhere or not viewer.is_waiting:
                viewer.send(burst)

    def _add_frame(self, burst: Burst, index: int) -> None:
        clip, track = self.clip, self.video
        timestamp = self._timestamp(self._loop, index) + self.tamper.next_jump()
        source = self.tamper.picture_of(index)
        packetized = clip.packetized[source]
        utc_ns = time.time_ns()
        if clip.is_stamped:
            stamp = build_stamp(clip.codec, self._counter, utc_ns)
            payloads = (*packetized.before, *packetize_nal(clip.codec, stamp), *packetized.after)
        else:
            stamp, payloads = b"", packetized.before + packetized.after
        last = len(payloads) - 1
        for position, payload in enumerate(payloads):
            header = rtp_header(VIDEO_PAYLOAD_TYPE, position == last, track.sequence, timestamp, track.ssrc)
            burst.packets.append((VIDEO_RTP, header, payload))
            track.sequence += 1
            track.octets += len(payload)
        track.packets += len(payloads)
        if self._ledger is not None:
            self._note_frame(source, stamp, utc_ns, timestamp)
        self._counter += 1
        self.frames_sent += 1

    def _note_frame(self, index: int, stamp: bytes, utc_ns: int, timestamp: int) -> None:
        frame = self.clip.frames[index]
        nals = list(frame.nals)
        if stamp:
            nals.insert(self.clip.stamp_position(frame), stamp)
        watching = sum(not viewer.is_waiting for viewer in self.viewers)
        self._ledger.add(  # type: ignore[union-attr]
            nals, stream=self.name, kind="video", counter=self._counter, utc_ns=utc_ns, timestamp=timestamp,
            key=frame.is_keyframe, viewers=watching,
        )  # fmt: skip

    def _add_audio(self, burst: Burst, due_ns: int) -> None:
        """All units that begin until `due_ns`: an even row over all loops and runs."""
        audio, track = self.clip.audio, self.audio
        if audio is None:
            return
        step, rate = audio.unit_ticks, audio.sample_rate_hz
        run_ticks = (self._run_ticks or 0) * rate // VIDEO_CLOCK_HZ
        loop_ticks = self.clip.loop_ticks * rate // VIDEO_CLOCK_HZ
        while self._origin_ns + _ns(self._audio_index * step, rate) <= due_ns:
            begin = self._audio_index * step
            unit = audio.unit_at((begin - run_ticks) % loop_ticks, self.clip.length_s)
            if "drop-audio" not in self.faults:
                timestamp = track.base + begin
                payload = packetize_audio(audio.codec, unit)
                payload_type = AUDIO_PAYLOAD_TYPES[audio.codec]
                header = rtp_header(payload_type, audio.codec == "aac", track.sequence, timestamp, track.ssrc)
                burst.packets.append((AUDIO_RTP, header, payload))
                track.sequence += 1
                track.packets += 1
                track.octets += len(payload)
                if self._ledger is not None:
                    self._note_unit(unit, timestamp)
            self._audio_index += 1

    def _note_unit(self, unit: bytes, timestamp: int) -> None:
        watching = sum(not viewer.is_waiting for viewer in self.viewers)
        self._ledger.add(  # type: ignore[union-attr]
            (unit,), stream=self.name, kind="audio", index=self._audio_index, utc_ns=time.time_ns(),
            timestamp=timestamp, viewers=watching,
        )  # fmt: skip

    def _add_reports(self, burst: Burst) -> None:
        """Sender reports: the wall clock now, and the RTP time of the same instant on each track."""
        now_ns = time.monotonic_ns()
        if now_ns < self._report_ns or not burst.packets:
            return
        self._report_ns = now_ns + REPORT_INTERVAL_NS
        utc_ns, elapsed_ns = time.time_ns(), now_ns - self._origin_ns
        ticks = self.video.base + self.tamper.jumped_ticks + elapsed_ns * VIDEO_CLOCK_HZ // 1_000_000_000
        video = self.video
        report = sender_report(video.ssrc, utc_ns, ticks, video.packets, video.octets)
        burst.packets.append((VIDEO_RTCP, report, b""))
        if self.clip.audio is not None:
            audio = self.audio
            ticks = audio.base + elapsed_ns * self.clip.audio.sample_rate_hz // 1_000_000_000
            report = sender_report(audio.ssrc, utc_ns, ticks, audio.packets, audio.octets)
            burst.packets.append((AUDIO_RTCP, report, b""))

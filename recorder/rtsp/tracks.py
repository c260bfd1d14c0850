"""The two tracks of a connection, from chosen SDP tracks to sink calls; who owns receivers and parameters.

Made by `session` after DESCRIBE; `source` asks it for progress and reports. The sink hears of parameters before the
first sample, and nothing is delivered before the video's are known.
"""

from __future__ import annotations

import secrets

from recorder.codecs import video_parameters
from recorder.samples import AudioParameters, SampleSink, VideoParameters

from .depacketize_audio import AacDepacketizer, G711Depacketizer, UnsupportedAudio, audio_parameters
from .depacketize_h264 import H264Depacketizer
from .depacketize_h265 import H265Depacketizer
from .rtcp import SenderReport, parse_sender_report, receiver_report
from .rtp import ReceiveClock, ReorderingReceiver, RtpReceiver
from .sdp import Track


class TrackReceiver:
    """RTP and RTCP of one track."""

    __slots__ = ("_clock", "_early_report", "_is_video", "_own_ssrc", "_report_ns", "_sink", "_sr_middle", "control",
                 "depacketizer", "rtp", "scale")  # fmt: skip

    def __init__(
        self,
        control: str,
        rtp: RtpReceiver,
        depacketizer,
        is_video: bool,
        sink: SampleSink,
        clock: ReceiveClock,
    ) -> None:
        self.control = control
        self.rtp = rtp
        self.depacketizer = depacketizer
        self.scale: tuple[int, int] | None = None
        self._is_video = is_video
        self._sink = sink
        self._clock = clock
        self._own_ssrc = secrets.randbits(32)
        self._sr_middle = self._report_ns = 0
        self._early_report: SenderReport | None = None

    def on_rtcp(self, view: memoryview, start: int, stop: int, *_header: int) -> None:
        """One compound packet; same shape as `RtpReceiver.on_packet`."""
        report = parse_sender_report(view[start:stop])
        if report is None or (self.rtp.ssrc >= 0 and report.ssrc != self.rtp.ssrc):
            return
        self._sr_middle, self._report_ns = report.ntp_middle, self._clock.now_ns
        self._early_report = None if self._pass_on(report) else report

    def _pass_on(self, report: SenderReport) -> bool:
        time = self.depacketizer.time.near(report.timestamp)
        if time is None:
            return False
        if self.scale:
            time = time * self.scale[0] // self.scale[1]
        self._sink.on_sender_report(self._is_video, report.ntp_ns, time, self._report_ns)
        return True

    def tick(self) -> None:
        """About once a second."""
        self.rtp.tick()
        early = self._early_report
        if early is not None and self._pass_on(early):
            self._early_report = None

    def rtcp_report(self) -> bytes | None:
        """The receiver report that is due now."""
        state = self.rtp.report()
        if state is None:
            return None
        delay_ns = self._clock.now_ns - self._report_ns if self._sr_middle else 0
        return receiver_report(self._own_ssrc, *state, self._sr_middle, max(0, delay_ns))


class Tracks:
    """Made per connection; `video` and, if there is one that we read, `audio`."""

    def __init__(
        self,
        peer: str,
        video: Track,
        audio: Track | None,
        sink: SampleSink,
        clock: ReceiveClock,
        is_udp: bool,
    ) -> None:
        self._sink = sink
        self._peer = peer
        self._clock = clock
        self._is_udp = is_udp
        self.ignored: list[str] = []
        self.is_announced = False
        self.video_parameters: VideoParameters | None = None
        self.audio_parameters: AudioParameters | None = None
        sets = video.parameter_sets()
        if sets:
            try:
                self.video_parameters = video_parameters(video.codec, sets)
            except ValueError:
                pass  # they will come in-band
        kind = H264Depacketizer if video.codec == "h264" else H265Depacketizer
        units = kind(peer, clock, sink.on_video, self._video_changed, self.video_parameters)
        self.video = TrackReceiver(video.control, self._receiver(video, units), units, True, sink, clock)
        self.audio = self._make_audio(audio) if audio is not None else None

    def _make_audio(self, track: Track) -> TrackReceiver | None:
        try:
            self.audio_parameters = parameters = audio_parameters(track)
        except UnsupportedAudio as err:
            self.ignored.append(f"audio {err}")
            return None
        kind = AacDepacketizer if track.codec == "aac" else G711Depacketizer
        units = kind(track, self._clock, self._deliver_audio)
        receiver = TrackReceiver(track.control, self._receiver(track, units), units, False, self._sink, self._clock)
        if track.clock_hz != parameters.sample_rate_hz:
            receiver.scale = parameters.sample_rate_hz, track.clock_hz
        return receiver

    def _receiver(self, track: Track, units) -> RtpReceiver:
        if self._is_udp:
            return ReorderingReceiver(track.payload_type, units, self._sink.on_loss, self._clock)
        return RtpReceiver(track.payload_type, units, self._sink.on_loss)

    def all(self) -> list[TrackReceiver]:
        return [track for track in (self.video, self.audio) if track is not None]

    def leave_out_audio(self, why: str) -> None:
        """The camera describes audio and then refuses to send it."""
        if self.audio is not None:
            self.ignored.append(f"audio {why}")
            self.audio = self.audio_parameters = None

    def announce(self) -> None:
        """Before PLAY: tell the sink what the SDP said, if it said enough."""
        if self.video_parameters is not None:
            self._video_changed(self.video_parameters)

    def _video_changed(self, parameters: VideoParameters) -> None:
        self.video_parameters = parameters
        self.is_announced = True
        self._sink.on_parameters(parameters, self.audio_parameters)

    def _deliver_audio(self, sample: bytes | bytearray, timestamp: int, duration: int, arrived_ns: int) -> None:
        if self.is_announced:
            self._sink.on_audio(sample, timestamp, duration, arrived_ns)

"""What a source hands to whoever consumes a camera: parameters and samples.

Sources (`recorder.rtsp`, `recorder.capture.libav`) produce these, the segment writer and the probe consume
them. Runs in capture processes; no Django. A *sample* is one coded frame or one audio packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

VIDEO_CLOCK_HZ = 90_000
"""Clock of every video track, RTP's and the archive's (RFC 6184 section 5.1, RFC 7798 section 4.1)."""


@dataclass(frozen=True, slots=True)
class VideoParameters:
    """One video track as its parameter sets describe it; equal objects may share one segment."""

    codec: str
    """`h264`, `h265` or `mjpeg`."""
    width_px: int
    height_px: int
    parameter_sets: tuple[bytes, ...] = ()
    """NAL units without start code, in order: (VPS,) SPS, PPS. Empty for `mjpeg`."""
    rfc6381: str = ""
    """Codec string for a MIME type (RFC 6381), for example `avc1.64001F`."""
    reorder_depth: int = 0
    """How many frames may precede a frame in decoding order and follow it in output order (B-frames)."""
    frame_rate: float | None = None
    """Frames per second as the parameter sets claim, if they do."""


@dataclass(frozen=True, slots=True)
class AudioParameters:
    """One audio track."""

    codec: str
    """`aac`, `pcma` (G.711 A-law) or `pcmu` (G.711 mu-law)."""
    sample_rate_hz: int
    channels: int
    config: bytes = b""
    """AudioSpecificConfig (ISO 14496-3, 1.6.2.1) for AAC, else empty."""
    rfc6381: str = ""
    """For example `mp4a.40.2`; empty where MIME has no name for the codec in MP4."""


class SampleSink(Protocol):
    """Where a source delivers. All calls come from the event loop's thread and must not block.

    Timestamps are *unwrapped*: integers of the track's clock (90 kHz for video, the sample rate for audio)
    that never jump at 2**32. Their origin is arbitrary per track and per connection.
    `arrived_ns` is `time.monotonic_ns()` when the packet that completed the sample was read.
    """

    def on_parameters(self, video: VideoParameters | None, audio: AudioParameters | None) -> None:
        """The tracks of this connection; called before the first sample and again whenever they change.

        A change of video parameters is announced right before the keyframe that uses them."""

    def on_video(self, sample: bytes | bytearray, timestamp: int, is_keyframe: bool, arrived_ns: int) -> None:
        """A whole access unit in decoding order: NAL units as sent, each behind a 4-byte big-endian length
        (ISO 14496-15 5.3.2); for `mjpeg` one JPEG image. `timestamp` is the presentation time. The sink may
        keep `sample`; the source never touches it again."""

    def on_audio(self, sample: bytes | bytearray, timestamp: int, duration: int, arrived_ns: int) -> None:
        """One AAC access unit without ADTS, or a run of G.711 bytes. `duration` in ticks of the track."""

    def on_loss(self, packets: int) -> None:
        """RTP packets that never came; the damaged access unit has been dropped."""

    def on_sender_report(self, is_video: bool, ntp_ns: int, timestamp: int, arrived_ns: int) -> None:
        """RTCP sender report (RFC 3550 6.4.1): the camera's wall clock (ns since the Unix epoch) at
        `timestamp`."""

"""A clip: the coded frames and audio units that a simulated camera sends over and over, and the
arithmetic of looping.

Made by `encode` (generated scenes) or `clipfile` (files), read by the streams. Immutable and shared by
every camera that shows it. All video times are ticks of 90 kHz counted from the first frame's decoding
time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from .bitstream import is_parameter_set, is_slice
from .rtp import PacketizedFrame, packetize_frame

VIDEO_CLOCK_HZ = 90_000


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One access unit in decoding order; `nals` without start codes."""

    nals: tuple[bytes, ...]
    decode_ticks: int
    cts_ticks: int
    """Presentation minus decoding time; never negative."""
    is_keyframe: bool


@dataclass(frozen=True)
class AudioTrack:
    """`units` are AAC access units or G.711 blocks, each `unit_ticks` long in the clock `sample_rate_hz`."""

    codec: str
    sample_rate_hz: int
    channels: int
    units: tuple[bytes, ...]
    unit_ticks: int
    config: bytes = b""
    start_s: float = 0.0
    """Where the first unit lies, seconds after the first frame."""

    def unit_at(self, loop_ticks: int, clip_s: float) -> bytes:
        """The unit for the place `loop_ticks` (audio ticks since a loop's start) of a clip `clip_s` long.

        Looked up by time, so that sound stays in step with the picture over any number of loops (half a unit off at
        most) while its timestamps go on in even steps."""
        index = round((loop_ticks - self.start_s * self.sample_rate_hz) / self.unit_ticks)
        return self.units[index % len(self.units)]


@dataclass(frozen=True)
class Clip:
    name: str
    codec: str
    width_px: int
    height_px: int
    frames: tuple[ClipFrame, ...]
    loop_ticks: int
    """Length of one loop: from the first frame's decoding time to where the next loop's first frame is due."""
    parameter_sets: tuple[bytes, ...]
    audio: AudioTrack | None = None
    is_stamped: bool = True
    """Whether each frame gets the SEI message with counter and UTC time."""
    notices: tuple[str, ...] = field(default=())

    @property
    def length_s(self) -> float:
        return self.loop_ticks / VIDEO_CLOCK_HZ

    @property
    def frame_rate(self) -> float:
        return len(self.frames) / self.length_s

    @cached_property
    def reorder_ticks(self) -> int:
        """The greatest composition offset: 0 without B-frames."""
        return max(frame.cts_ticks for frame in self.frames)

    @cached_property
    def packetized(self) -> tuple[PacketizedFrame, ...]:
        """RTP payloads of every frame, made once for all cameras that show this clip."""
        return tuple(packetize_frame(self.codec, *self._split(frame)) for frame in self.frames)

    def _split(self, frame: ClipFrame) -> tuple[list[bytes], list[bytes]]:
        position = self.stamp_position(frame)
        return list(frame.nals[:position]), list(frame.nals[position:])

    def stamp_position(self, frame: ClipFrame) -> int:
        """How many NAL units come before the first slice: the stamp goes there."""
        nals = enumerate(frame.nals)
        return next((position for position, nal in nals if is_slice(self.codec, nal)), len(frame.nals))


def find_parameter_sets(codec: str, frames: tuple[ClipFrame, ...]) -> tuple[bytes, ...]:
    """Those of the first keyframe, each once."""
    return tuple(dict.fromkeys(nal for nal in frames[0].nals if is_parameter_set(codec, nal)))

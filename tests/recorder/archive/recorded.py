"""Real encoder output written as segments by recorder.fmp4, the way capture writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from recorder.archive.layout import segment_path
from recorder.codecs import aac_parameters, join_length_prefixed, split_annexb, video_parameters
from recorder.fmp4 import SampleIndexBuilder, audio_fragment_header, build_init, video_fragment_header
from recorder.samples import AudioParameters, VideoParameters

CAMERA = "8b9d6d2e-6a44-4e8e-9a67-3f9f0ce7c001"
START_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z


@dataclass(frozen=True)
class Coded:
    """One access unit; times in ticks from the clip's first picture."""

    sample: bytes
    dts: int
    pts: int
    is_keyframe: bool


@dataclass(frozen=True)
class Sound:
    sample: bytes
    at: int
    duration: int


@cache
def encode_video(codec="h264", frames=60, fps=10, b_frames=0, size=(160, 96), gop_frames=10, has_open_gops=False):
    """Parameters and access units; a moving gradient with a number in it, closed GOPs (H.265: or open)."""
    encoder = av.CodecContext.create({"h264": "libx264", "h265": "libx265"}[codec], "w")
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.gop_size, encoder.max_b_frames = gop_frames, b_frames
    encoder.thread_count = 1
    encoder.options = {"preset": "ultrafast", "g": str(gop_frames), "bf": str(b_frames)}
    if codec == "h265":
        x265 = f"log-level=none:pools=none:frame-threads=1:open-gop={int(has_open_gops)}:scenecut=0"
        encoder.options |= {"x265-params": f"{x265}:keyint={gop_frames}:min-keyint={gop_frames}:bframes={b_frames}"}
    else:
        encoder.options |= {"x264-params": "scenecut=0:open-gop=0:repeat-headers=1"}
    packets = []
    for number in range(frames):
        ramp = (np.add.outer(np.arange(size[1]), np.arange(size[0])) * 2 + number * 5) % 256
        picture = av.VideoFrame.from_ndarray(np.repeat(ramp.astype(np.uint8)[..., None], 3, axis=2), format="rgb24")
        picture.pts = number
        packets += encoder.encode(picture.reformat(format="yuv420p"))
    packets += encoder.encode(None)
    tick = 90_000 // fps
    sets = split_annexb(bytes(packets[0]))
    parameters = video_parameters(codec, sets)
    coded = tuple(
        Coded(
            join_length_prefixed(split_annexb(bytes(packet))),
            packet.dts * tick,
            packet.pts * tick,
            packet.is_keyframe,
        )
        for packet in packets
    )
    return parameters, coded


@cache
def encode_aac(seconds=6, rate=16_000):
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "fltp"
    encoder.open()
    tone = np.sin(np.arange(seconds * rate) * 0.1).astype(np.float32) * 0.3
    packets = []
    for start in range(0, len(tone) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    sounds = tuple(Sound(bytes(packet), number * 1024, 1024) for number, packet in enumerate(packets))
    return aac_parameters(bytes(encoder.extradata)), sounds


def make_g711(seconds=6, codec="pcma", rate=8000):
    rng = np.random.default_rng(3)
    sounds = tuple(Sound(rng.bytes(320), number * 320, 320) for number in range(seconds * rate // 320))
    return AudioParameters(codec, rate, 1), sounds


@dataclass
class SegmentWriter:
    """One file as capture writes it; `close` appends the index and renames."""

    path: Path
    video: VideoParameters
    audio: AudioParameters | None = None
    index: SampleIndexBuilder = field(default_factory=SampleIndexBuilder)
    sequence: int = 0

    def __post_init__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.with_name(self.path.name + ".part").open("wb")
        self.file.write(build_init(self.video, self.audio))

    def add_video(self, sample, dts, duration, pts, is_keyframe):
        self.sequence += 1
        at = self.file.tell()
        header = video_fragment_header(self.sequence, dts, duration, len(sample), is_keyframe, pts - dts)
        self.file.write(header + sample)
        self.index.add_video(at, at + len(header), len(sample), dts, duration, pts - dts, is_keyframe)

    def add_audio(self, sounds, at_ticks):
        """Audio packets in a row; `at_ticks` is the absolute time of the first."""
        self.sequence += 1
        at = self.file.tell()
        sizes, durations = [len(sound.sample) for sound in sounds], [sound.duration for sound in sounds]
        header = audio_fragment_header(self.sequence, at_ticks, sizes, durations)
        self.file.write(header + b"".join(sound.sample for sound in sounds))
        self.index.add_audio(at, at + len(header), sizes, at_ticks, durations)

    def close(self):
        self.file.write(self.index.trailer(self.file.tell()))
        self.file.close()
        Path(self.file.name).rename(self.path)
        return self.path

    def leave_open(self):
        self.file.close()
        return Path(self.file.name)


@dataclass
class Archive:
    """A volume and what has been recorded on it, in decoding order."""

    volume: Path
    samples: list = field(default_factory=list)
    """(UTC pts ticks, UTC dts ticks, bytes) of each video sample."""
    sounds: list = field(default_factory=list)
    """(UTC ticks of the audio clock, bytes)."""
    paths: list = field(default_factory=list)

    def record(
        self,
        start_ms=START_MS,
        *,
        codec="h264",
        seconds=6,
        fps=10,
        b_frames=0,
        audio=None,
        segment_s=2,
        epoch=1,
        stream="main",
        size=(160, 96),
        is_left_open=False,
        gop_frames=10,
        has_open_gops=False,
    ):
        """One run of `seconds`, cut at the first keyframe after `segment_s`. Audio comes 60 ms after its video."""
        parameters, coded = encode_video(codec, seconds * fps, fps, b_frames, size, gop_frames, has_open_gops)
        sound_parameters, sounds = {"aac": encode_aac, "pcma": make_g711, None: lambda _: (None, ())}[audio](seconds)
        rate = sound_parameters.sample_rate_hz if sound_parameters else 1
        origin, waiting = start_ms * 90, list(sounds)
        writer, begun_ms, tick = None, 0, 90_000 // fps
        for unit in coded:
            pts, dts = origin + unit.pts, origin + unit.dts
            if unit.is_keyframe and (writer is None or pts // 90 - begun_ms >= segment_s * 1000):
                if writer is not None:
                    self.paths.append(writer.close())
                begun_ms = pts // 90
                path = segment_path(self.volume, CAMERA, stream, begun_ms, epoch)
                writer = SegmentWriter(path, parameters, sound_parameters)
            writer.add_video(unit.sample, dts, tick, pts, unit.is_keyframe)
            self.samples.append((pts, dts, unit.sample))
            due = [sound for sound in waiting if sound.at * 90_000 // rate < unit.dts - 5400]
            if due:
                self._write_sounds(writer, due, start_ms, rate)
                waiting = waiting[len(due) :]
        if waiting:
            self._write_sounds(writer, waiting, start_ms, rate)
        self.paths.append(writer.leave_open() if is_left_open else writer.close())
        return self

    def _write_sounds(self, writer, sounds, start_ms, rate):
        base = start_ms * rate // 1000
        writer.add_audio(sounds, base + sounds[0].at)
        self.sounds += [(base + sound.at, sound.sample) for sound in sounds]

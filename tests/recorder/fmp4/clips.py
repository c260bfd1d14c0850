"""Makes coded clips with PyAV and segment files with recorder.fmp4, for the tests beside it."""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from recorder.codecs import (
    aac_parameters,
    is_keyframe_nal,
    join_length_prefixed,
    mjpeg_parameters,
    nal_type,
    split_annexb,
    video_parameters,
)
from recorder.fmp4 import SampleIndexBuilder, audio_fragment_header, build_init, video_fragment_header
from recorder.samples import AudioParameters, VideoParameters

START_S = 1_760_000_000
FPS = 15
STEP = 90_000 // FPS


@dataclass
class Frame:
    content: bytes
    decode_time: int
    cts_offset: int
    is_keyframe: bool
    duration: int = STEP


@dataclass
class Packet:
    content: bytes
    decode_time: int
    duration: int


@dataclass
class Clip:
    video: VideoParameters | None
    frames: list[Frame] = field(default_factory=list)
    audio: AudioParameters | None = None
    packets: list[Packet] = field(default_factory=list)


@lru_cache
def encode_video(
    codec: str = "h264",
    count: int = 45,
    width: int = 320,
    height: int = 180,
    b_frames: int = 0,
    pixel_format: str = "yuv420p",
    gop: int = 15,
) -> Clip:
    """`count` frames at 15 fps with a picture that moves; pure function of its arguments."""
    name = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}[codec]
    context = av.CodecContext.create(name, "w")
    context.width, context.height = width, height
    context.pix_fmt = "yuvj420p" if codec == "mjpeg" else pixel_format
    context.time_base = Fraction(1, FPS)
    context.framerate = Fraction(FPS)
    context.thread_count = 1
    if codec == "h264":
        context.options = {"preset": "veryfast", "bf": str(b_frames), "g": str(gop), "sc_threshold": "0"}
    elif codec == "h265":
        tuning = f"log-level=none:pools=1:frame-threads=1:bframes={b_frames}:keyint={gop}:min-keyint={gop}:open-gop=0"
        context.options = {"preset": "ultrafast", "x265-params": tuning}
    packets = []
    for number in range(count):
        picture = av.VideoFrame(width, height, context.pix_fmt)
        for index, plane in enumerate(picture.planes):
            if codec == "mjpeg":  # FFmpeg takes a flat picture's last bytes for a missing end
                noise = np.random.default_rng(number).integers(0, 255, plane.buffer_size)
                plane.update(noise.astype(np.uint8).tobytes())
                continue
            ramp = np.arange(plane.buffer_size) % plane.line_size // 4 * 3 + number * 5 + index * 40
            plane.update((ramp % 200 + 16).astype(np.uint8).tobytes())
        picture.pts = number
        picture.time_base = Fraction(1, FPS)
        packets += context.encode(picture)
    packets += context.encode(None)
    origin = START_S * 90_000
    frames = []
    video = None
    for packet in packets:
        content = bytes(packet)
        if codec == "mjpeg":
            video = video or mjpeg_parameters(content)
            is_keyframe = True
        else:
            nals = split_annexb(content)
            kinds = [nal_type(codec, nal) for nal in nals]
            video = video or video_parameters(codec, nals)
            is_keyframe = any(is_keyframe_nal(codec, kind) for kind in kinds)
            content = join_length_prefixed(nals)
        # The first picture is shown at START_S; frames that reorder are decoded a little earlier.
        frames.append(Frame(content, origin + packet.dts * STEP, (packet.pts - packet.dts) * STEP, is_keyframe))
    return Clip(video, frames)


@lru_cache
def encode_audio(codec: str = "aac", seconds: float = 3.0, rate: int = 48_000, channels: int = 1) -> Clip:
    """A tone as AAC, or as G.711 in packets of 20 ms."""
    origin = START_S * rate
    count = int(seconds * rate)
    wave = (np.sin(np.arange(count) * 0.05) * 8000).astype(np.int16)
    name = {"aac": "aac", "pcma": "pcm_alaw", "pcmu": "pcm_mulaw"}[codec]
    context = av.CodecContext.create(name, "w")
    context.sample_rate = rate
    context.layout = "mono" if channels == 1 else "stereo"
    context.format = "fltp" if codec == "aac" else "s16"
    context.time_base = Fraction(1, rate)
    step = 1024 if codec == "aac" else rate // 50
    packets = []
    for start in range(0, count - step, step):
        block = wave[start : start + step]
        block = np.tile(block / 32768, (channels, 1)).astype(np.float32) if codec == "aac" else block[None, :]
        frame = av.AudioFrame.from_ndarray(block, format=context.format.name, layout=context.layout.name)
        frame.sample_rate = rate
        frame.pts = start
        packets += context.encode(frame)
    packets += context.encode(None)
    if codec == "aac":
        audio = aac_parameters(bytes(context.extradata))
    else:
        audio = AudioParameters(codec, rate, channels)
    stored = [Packet(bytes(packet), origin + index * step, step) for index, packet in enumerate(packets)]
    return Clip(None, [], audio, stored)


def with_audio(video: Clip, audio: Clip) -> Clip:
    return Clip(video.video, video.frames, audio.audio, audio.packets)


@dataclass
class Written:
    """Where things are in a file that was written."""

    init: bytes
    media: list[bytes]
    """Fragments in the order of the file."""
    trailer: bytes
    borders: list[int]
    """Where each fragment ends, the first entry is the end of the init."""

    @property
    def complete(self) -> bytes:
        return b"".join((self.init, *self.media, self.trailer))

    @property
    def open(self) -> bytes:
        return b"".join((self.init, *self.media))


def write(clip: Clip, audio_group: int = 4) -> Written:
    """As capture does: a fragment a frame, audio in groups before the frame that is later."""
    init = build_init(clip.video, clip.audio)
    builder = SampleIndexBuilder()
    media: list[bytes] = []
    borders = [len(init)]
    rate = clip.audio.sample_rate_hz if clip.audio else 1
    groups = [clip.packets[at : at + audio_group] for at in range(0, len(clip.packets), audio_group)]
    events: list[tuple[Fraction, Frame | list[Packet]]] = [
        (Fraction(frame.decode_time, 90_000), frame) for frame in clip.frames
    ]
    events += [(Fraction(group[-1].decode_time + group[-1].duration, rate), group) for group in groups]
    events.sort(key=lambda event: event[0])
    for sequence, (_, item) in enumerate(events, 1):
        offset = borders[-1]
        if isinstance(item, Frame):
            size = len(item.content)
            header = video_fragment_header(
                sequence, item.decode_time, item.duration, size, item.is_keyframe, item.cts_offset
            )
            builder.add_video(
                offset,
                offset + len(header),
                size,
                item.decode_time,
                item.duration,
                item.cts_offset,
                item.is_keyframe,
            )
            fragment = header + item.content
        else:
            sizes = array("I", [len(packet.content) for packet in item])
            durations = [packet.duration for packet in item]
            header = audio_fragment_header(sequence, item[0].decode_time, sizes, durations)
            builder.add_audio(offset, offset + len(header), sizes, item[0].decode_time, durations)
            fragment = header + b"".join(packet.content for packet in item)
        media.append(fragment)
        borders.append(offset + len(fragment))
    return Written(init, media, builder.trailer(borders[-1]), borders)


def read_index(path: Path):
    from recorder.fmp4 import read_segment_index

    fd = os.open(path, os.O_RDONLY)
    try:
        return read_segment_index(fd)
    finally:
        os.close(fd)

"""Footage as capture would write it: encoded here with PyAV, stamped with real time, into real segment files."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import av
import numpy as np

from recorder.archive.layout import segment_path
from recorder.codecs import aac_parameters, split_annexb, video_parameters
from recorder.codecs.nal import join_length_prefixed
from recorder.fmp4 import SampleIndexBuilder, audio_fragment_header, build_init, video_fragment_header
from recorder.samples import AudioParameters, VideoParameters

FPS = 15
GOP = 15


@dataclass(frozen=True)
class Encoded:
    video: VideoParameters
    frames: tuple[tuple[bytes, bool], ...]
    """Length-prefixed access units without parameter sets, and whether each is a keyframe."""


@cache
def encode(codec: str = "h264", width: int = 320, height: int = 240, frames: int = 60) -> Encoded:
    """A moving gradient, GOP of one second, no B-frames."""
    library = {"h264": "libx264", "h265": "libx265"}[codec]
    encoder = av.CodecContext.create(library, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = FPS
    encoder.gop_size = GOP
    encoder.options = (
        {"preset": "ultrafast", "tune": "zerolatency", "x264-params": f"keyint={GOP}:scenecut=0"}
        if codec == "h264"
        else {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x265-params": f"keyint={GOP}:scenecut=0:log-level=none",
        }
    )
    ramp = np.add.outer(np.arange(height), np.arange(width))
    packets = []
    for number in range(frames):
        picture = ((ramp + number * 8) % 256).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(np.stack([picture, picture // 2, 255 - picture], axis=-1), "rgb24")
        frame.pts = number
        packets += encoder.encode(frame.reformat(format="yuv420p"))
    packets += encoder.encode(None)
    sets: dict[bytes, None] = {}
    units = []
    is_set = (lambda nal: nal[0] & 31 in (7, 8)) if codec == "h264" else (lambda nal: nal[0] >> 1 & 63 in (32, 33, 34))
    for packet in packets:
        nals = split_annexb(bytes(packet))
        sets.update(dict.fromkeys(nal for nal in nals if is_set(nal)))
        units.append((join_length_prefixed([nal for nal in nals if not is_set(nal)]), packet.is_keyframe))
    return Encoded(video_parameters(codec, list(sets)), tuple(units))


@cache
def aac() -> tuple[AudioParameters, tuple[bytes, ...]]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.format, encoder.layout = 16000, "fltp", "mono"
    packets = []
    for number in range(40):
        tone = np.sin(np.arange(1024) * 0.1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, number * 1024
        packets += encoder.encode(frame)
    return aac_parameters(bytes(encoder.extradata)), tuple(bytes(packet) for packet in packets)


G711 = AudioParameters("pcma", 8000, 1)


@dataclass
class SegmentFile:
    """One segment being written; times in ticks since the epoch."""

    path: Path
    encoded: Encoded
    audio: AudioParameters | None = None
    index: SampleIndexBuilder = field(default_factory=SampleIndexBuilder)
    position: int = 0
    sequence: int = 0

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._write(build_init(self.encoded.video, self.audio))

    def add_frame(self, number: int, decode_time: int) -> None:
        sample, is_keyframe = self.encoded.frames[number % len(self.encoded.frames)]
        self.sequence += 1
        duration = 90000 // FPS
        head = video_fragment_header(self.sequence, decode_time, duration, len(sample), is_keyframe, 0)
        at = self.position
        self.index.add_video(at, at + len(head), len(sample), decode_time, duration, 0, is_keyframe)
        self._write(head + sample)

    def add_sound(self, sample: bytes, decode_time: int, duration: int) -> None:
        self.sequence += 1
        head = audio_fragment_header(self.sequence, decode_time, [len(sample)], [duration])
        self.index.add_audio(self.position, self.position + len(head), [len(sample)], decode_time, [duration])
        self._write(head + sample)

    def close(self) -> Path:
        os.write(self.fd, self.index.trailer(self.position))
        os.close(self.fd)
        final = self.path.with_name(self.path.name.removesuffix(".part"))
        self.path.rename(final)
        return final

    def _write(self, content: bytes) -> None:
        os.write(self.fd, content)
        self.position += len(content)


def write_recording(
    volume: Path,
    camera: str,
    stream: str,
    start_ms: int,
    seconds: int,
    encoded: Encoded | None = None,
    audio: str | None = None,
) -> None:
    """A finished recording in segments of ten seconds."""
    encoded = encoded or encode()
    parameters = {"aac": aac()[0], "g711": G711}.get(audio or "")
    for begin in range(0, seconds, 10):
        at_ms = start_ms + begin * 1000
        file = SegmentFile(segment_path(volume, camera, stream, at_ms, 1, is_open=True), encoded, parameters)
        for number in range(min(10, seconds - begin) * FPS):
            file.add_frame(number, at_ms * 90 + number * 6000)
            if audio == "g711" and number % 3 == 2:
                file.add_sound(bytes(1600), at_ms * 8 + (number - 2) * 1600 // 3, 1600)
            if audio == "aac":
                file.add_sound(aac()[1][number % len(aac()[1])], at_ms * 16 + number * 1024, 1024)
        file.close()


class LiveCamera:
    """Stands in for capture: writes frames in real time from a thread, and keeps the live link."""

    def __init__(
        self,
        volume: Path,
        live: Path,
        camera: str,
        stream: str = "main",
        encoded: Encoded | None = None,
        audio: str | None = None,
        segment_s: float = 600,
    ) -> None:
        self.encoded = encoded or encode()
        self.frames_written: list[int] = []
        self._volume, self._live, self._camera, self._stream = volume, live, camera, stream
        self._audio, self._segment_s = audio, segment_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> LiveCamera:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _open(self, start_s: float) -> SegmentFile:
        path = segment_path(self._volume, self._camera, self._stream, int(start_s * 1000), 1, is_open=True)
        file = SegmentFile(path, self.encoded, {"aac": aac()[0], "g711": G711}.get(self._audio or ""))
        temporary = self._live / f".{self._camera}.{self._stream}.new"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(path)
        temporary.rename(self._live / f"{self._camera}.{self._stream}")
        return file

    def _run(self) -> None:
        start_s = time.time()
        began_s = start_s
        file = None
        number = 0
        while not self._stop.wait(max(0, start_s + number / FPS - time.time())):
            now_s = start_s + number / FPS
            is_due = file is None or self.encoded is not file.encoded or now_s - began_s >= self._segment_s
            if is_due and number % GOP == 0:
                old, began_s = file, now_s
                file = self._open(now_s)
                if old is not None:
                    old.close()
            ticks = int(now_s * 90000)
            file.add_frame(number, ticks)
            self.frames_written.append(ticks)
            if self._audio == "g711":
                file.add_sound(bytes(533), int(now_s * 8000), 533)
            if self._audio == "aac":
                file.add_sound(aac()[1][number % len(aac()[1])], int(now_s * 16000), 1024)
            number += 1
        if file is not None:
            (self._live / f"{self._camera}.{self._stream}").unlink(missing_ok=True)
            file.close()

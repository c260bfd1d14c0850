"""Encodes generated scenes into clips, once per set of settings, and keeps them in a cache directory.

Called when the simulator starts, and by the faults that switch size or codec. Drawing and encoding
release the GIL most of the time, so a few threads share the work. A cache entry is a playable elementary
stream (`.h264`, `.h265`) and a JSON file with the frames' sizes and times, which is renamed into place
last: what has one is whole.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from .bitstream import split_annexb
from .clip import VIDEO_CLOCK_HZ, Clip, ClipFrame, find_parameter_sets
from .scenes import SCENES, Scene
from .sound import make_sound

CLIP_LENGTH_S = 8.0
RENDER_THREADS = 2
_FORMAT = 3  # raised when the encoder's settings change, so that old cache entries aren't used


@dataclass(frozen=True, slots=True)
class ClipSettings:
    scene: str
    width_px: int
    height_px: int
    codec: str = "h264"
    frame_rate: float = 15.0
    gop_s: float = 2.0
    b_frames: int = 0
    kbit_s: int = 1600
    audio: str = "aac"

    @property
    def length_s(self) -> float:
        """A whole number of GOPs, about `CLIP_LENGTH_S`."""
        return max(1, round(CLIP_LENGTH_S / self.gop_s)) * self.gop_s

    @property
    def gop_frames(self) -> int:
        return max(1, round(self.gop_s * self.frame_rate))

    @property
    def frame_count(self) -> int:
        return self.gop_frames * round(self.length_s / self.gop_s)


class ClipLibrary:
    """Clips by settings; made when first asked for. `cache` must be writable."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._clips: dict[ClipSettings, Clip] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def make(self, wanted: Sequence[ClipSettings]) -> list[Clip]:
        """Blocks until all are made: some seconds per scene for what isn't cached. Order as asked."""
        groups: dict[tuple[Any, ...], list[ClipSettings]] = {}
        for settings in dict.fromkeys(wanted):
            if settings in self._clips or self._load(settings):
                continue
            key = (settings.scene, settings.frame_rate, settings.frame_count)
            group = groups.setdefault(key, [])
            if _silent(settings) not in group:
                group.append(_silent(settings))
        if groups:
            with ThreadPoolExecutor(RENDER_THREADS) as pool:
                list(pool.map(self._encode_group, groups.values()))
            _return_memory()
        for settings in wanted:
            if settings not in self._clips and not self._load(settings):
                raise RuntimeError(f"the clip cache {self._directory} lost what was just written to it")
        return [self._clips[settings] for settings in wanted]

    async def switch(self, clip: Clip, kind: str, wanted: str) -> Clip:
        """The same scene with another `codec` or `size`. Raises `ValueError` for clips from files."""
        settings = next((known for known, made in self._clips.items() if made is clip), None)
        if settings is None:
            raise ValueError("a clip from a file can't change its codec or size")
        if kind == "codec":
            settings = replace(settings, codec=wanted)
        else:
            width, height = wanted.split("x")
            settings = replace(settings, width_px=int(width), height_px=int(height))
        return (await asyncio.to_thread(self.make, [settings]))[0]

    def _paths(self, settings: ClipSettings) -> tuple[Path, Path]:
        facts = {**asdict(_silent(settings)), "format": _FORMAT, "drawing": _drawing_hash()}
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]
        stem = f"{settings.scene}-{settings.width_px}x{settings.height_px}-{key}"
        return self._directory / f"{stem}.{settings.codec}", self._directory / f"{stem}.json"

    def _load(self, settings: ClipSettings) -> bool:
        stream_path, facts_path = self._paths(settings)
        try:
            facts = json.loads(facts_path.read_text())
            stream = stream_path.read_bytes()
        except (OSError, ValueError):
            return False
        frames, at = [], 0
        for size, decode_ticks, cts_ticks, is_keyframe in facts["frames"]:
            nals = tuple(split_annexb(stream[at : at + size]))
            frames.append(ClipFrame(nals, decode_ticks, cts_ticks, bool(is_keyframe)))
            at += size
        self._clips[settings] = Clip(
            name=stream_path.stem,
            codec=settings.codec,
            width_px=settings.width_px,
            height_px=settings.height_px,
            frames=tuple(frames),
            loop_ticks=facts["loop_ticks"],
            parameter_sets=find_parameter_sets(settings.codec, tuple(frames)),
            audio=make_sound(settings.audio, settings.length_s),
        )
        return True

    def _encode_group(self, group: list[ClipSettings]) -> None:
        """All sizes and codecs of one scene, drawn once at the greatest size."""
        largest = max(group, key=lambda settings: settings.width_px * settings.height_px)
        scene: Scene = SCENES[largest.scene](largest.width_px, largest.height_px)
        encoders = [_Encoder(settings) for settings in group]
        for index in range(largest.frame_count):
            picture = scene.picture(index / largest.frame_count, index)
            for encoder in encoders:
                encoder.add(picture, index)
        for encoder in encoders:
            self._store(encoder)

    def _store(self, encoder: _Encoder) -> None:
        stream_path, facts_path = self._paths(encoder.settings)
        packets = encoder.finish()
        settings = encoder.settings

        def ticks(position: int) -> int:
            return round(position * VIDEO_CLOCK_HZ / settings.frame_rate)

        first = packets[0][1]
        least = min(ticks(pts) - ticks(dts) for _, dts, pts, _ in packets)
        frames = [
            (len(coded), ticks(dts - first), ticks(pts) - ticks(dts) - least, int(is_keyframe))
            for coded, dts, pts, is_keyframe in packets
        ]
        facts = {"settings": asdict(settings), "loop_ticks": ticks(len(packets)), "frames": frames}
        _write(stream_path, b"".join(packet[0] for packet in packets))
        _write(facts_path, json.dumps(facts).encode())


class _Encoder:
    def __init__(self, settings: ClipSettings) -> None:
        self.settings = settings
        context = av.CodecContext.create("libx264" if settings.codec == "h264" else "libx265", "w")
        context.width, context.height, context.pix_fmt = settings.width_px, settings.height_px, "yuv420p"
        rate = Fraction(settings.frame_rate).limit_denominator(1001)
        context.framerate, context.time_base = rate, 1 / rate
        context.thread_count = 1
        context.bit_rate = settings.kbit_s * 1000
        context.gop_size = settings.gop_frames
        context.max_b_frames = settings.b_frames
        shared = {
            "keyint": settings.gop_frames, "min-keyint": settings.gop_frames, "scenecut": 0, "open-gop": 0,
            "bframes": settings.b_frames, "b-adapt": 0, "repeat-headers": 1, "colormatrix": "smpte170m",
            "vbv-maxrate": settings.kbit_s * 2, "vbv-bufsize": settings.kbit_s * 2, "rc-lookahead": 5,
        }  # fmt: skip
        own = (
            {"ref": 1, "weightp": 0, "no-mbtree": 1, "aq-mode": 1}
            if settings.codec == "h264"
            else {"pools": 1, "frame-threads": 1, "log-level": "none", "info": 0, "wpp": 0}
        )
        option = "x264-params" if settings.codec == "h264" else "x265-params"
        text = ":".join(f"{name}={value}" for name, value in {**shared, **own}.items())
        preset = "superfast" if settings.codec == "h264" else "ultrafast"
        context.options = {"preset": preset, option: text}
        self._context = context
        self._packets: list[Any] = []

    def add(self, picture: np.ndarray, index: int) -> None:
        """`picture` is I420 (height * 3 / 2 rows of luma, then chroma) of the scene's own size."""
        wanted = (self.settings.width_px, self.settings.height_px)
        height, width = picture.shape[0] * 2 // 3, picture.shape[1]
        if (width, height) != wanted:
            picture = _scale(picture, width, height, *wanted)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = index, self._context.time_base
        self._packets += self._context.encode(frame)

    def finish(self) -> list[tuple[bytes, int, int, bool]]:
        """(coded, dts, pts, is_keyframe), times in frames."""
        self._packets += self._context.encode(None)
        return [(bytes(packet), packet.dts, packet.pts, packet.is_keyframe) for packet in self._packets]


def _scale(picture: np.ndarray, width: int, height: int, to_width: int, to_height: int) -> np.ndarray:
    """I420 to I420, plane by plane."""
    luma = cv2.resize(picture[:height], (to_width, to_height), interpolation=cv2.INTER_AREA)
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    half = (to_width // 2, to_height // 2)
    planes = [cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in chroma]
    return np.concatenate([luma.ravel(), *(plane.ravel() for plane in planes)]).reshape(-1, to_width)


def _silent(settings: ClipSettings) -> ClipSettings:
    """Sound is made apart from the picture: the cached picture serves every kind of sound."""
    return replace(settings, audio="none")


@cache
def _drawing_hash() -> str:
    """Of the code that draws: a scene that was redrawn isn't taken from the cache."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "scenes").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _return_memory() -> None:
    """glibc keeps what the encoders used, some 200 MB, in its arenas unless it is told to give it back."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{id(content)}")
    temporary.write_bytes(content)
    temporary.replace(path)

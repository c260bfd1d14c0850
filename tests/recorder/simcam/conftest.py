"""Clips of the tests: a second long, so that many loops pass in little time."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest


def write_clip(path: Path, codec: str, *, b_frames: int = 0, frames: int = 15, audio: str | None = "aac") -> Path:
    """An MP4 or MKV file of `frames` at 15 fps, one GOP, 320x180."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264" if codec == "h264" else "libx265", rate=15)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        kind = "x264-params" if codec == "h264" else "x265-params"
        quiet = "" if codec == "h264" else ":log-level=none:pools=1"
        video.options = {
            "preset": "ultrafast",
            kind: f"keyint=60:scenecut=0:bframes={b_frames}:b-adapt=0:open-gop=0{quiet}",
        }
        sound = container.add_stream(audio, rate=16000, layout="mono") if audio else None
        for at in range(frames):
            picture = np.full((180, 320, 3), 40 + at * 5, np.uint8)
            picture[:, at * 20 : at * 20 + 20] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
        if sound is not None:
            rate = sound.codec_context.sample_rate
            wave = (np.sin(np.arange(rate * frames // 15) / 9) * 8000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate = rate
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


@pytest.fixture
def short_clip(tmp_path: Path) -> Path:
    """H.264 with two B-frames, AAC; one second."""
    return write_clip(tmp_path / "short.mp4", "h264", b_frames=2)

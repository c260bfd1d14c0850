"""Where the ffmpeg program is. Used by the media service (transcodes) and by capture's libav child (SRT)."""

from __future__ import annotations

import shutil
from functools import cache


@cache
def find_ffmpeg_binary() -> str | None:
    """The system's ffmpeg, else the one that imageio-ffmpeg brings, else None."""
    if system := shutil.which("ffmpeg"):
        return system
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None

"""RTSP client in asyncio: connects to a camera and delivers access units. Knows no Django; see README.md."""

from .describe import Description, describe
from .source import RtspSource
from .target import RtspTarget

__all__ = ["Description", "RtspSource", "RtspTarget", "describe"]

"""Fragmented MP4: written frame by frame, read back with or without its index. No Django.

See README.md for the invariants and docs/design/archive-format.md for the layout.
"""

from .fragment import (
    AUDIO_HEADER_BYTES,
    AUDIO_SAMPLE_BYTES,
    VIDEO_HEADER_BYTES,
    audio_fragment_header,
    video_fragment_header,
)
from .init import AUDIO_TRACK, VIDEO_TRACK, build_init, parse_init
from .reader import SegmentIndex, read_segment_index
from .sample_index import SampleIndexBuilder
from .samples import TrackSamples
from .scanner import Fragment, FragmentScanner

__all__ = [
    "AUDIO_HEADER_BYTES",
    "AUDIO_SAMPLE_BYTES",
    "AUDIO_TRACK",
    "VIDEO_HEADER_BYTES",
    "VIDEO_TRACK",
    "Fragment",
    "FragmentScanner",
    "SampleIndexBuilder",
    "SegmentIndex",
    "TrackSamples",
    "audio_fragment_header",
    "build_init",
    "parse_init",
    "read_segment_index",
    "video_fragment_header",
]

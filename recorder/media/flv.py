"""Reads H.264 out of an FLV stream, the shortest way out of ffmpeg: its muxer writes each frame at once, where the MP4
muxer holds every fragment back until the next frame comes. (Adobe Flash Video File Format 10.1, annex E.)
"""

from __future__ import annotations

from dataclasses import dataclass

_FILE_HEADER_BYTES = 13  # header and the first PreviousTagSize
_TAG_HEADER_BYTES = 11
_VIDEO_TAG = 9
_AVC = 7


@dataclass(frozen=True, slots=True)
class FlvConfig:
    avcc: bytes
    """AVCDecoderConfigurationRecord (ISO 14496-15 5.3.3.1)."""


@dataclass(frozen=True, slots=True)
class FlvFrame:
    sample: bytes
    """NAL units behind 4-byte lengths."""
    dts_ms: int
    is_keyframe: bool


class FlvReader:
    """Incremental; other tags than AVC video are skipped."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skip = _FILE_HEADER_BYTES

    def feed(self, content: bytes) -> list[FlvConfig | FlvFrame]:
        held = self._held
        held += content
        found: list[FlvConfig | FlvFrame] = []
        position = self._skip
        while len(held) >= position + _TAG_HEADER_BYTES:
            size = int.from_bytes(held[position + 1 : position + 4], "big")
            end = position + _TAG_HEADER_BYTES + size
            if len(held) < end + 4:
                break
            if held[position] == _VIDEO_TAG and size >= 5:
                body = position + _TAG_HEADER_BYTES
                if held[body] & 0x0F == _AVC:
                    rest = bytes(held[body + 5 : end])
                    if held[body + 1] == 0:
                        found.append(FlvConfig(rest))
                    elif held[body + 1] == 1:
                        low = int.from_bytes(held[position + 4 : position + 7], "big")
                        found.append(FlvFrame(rest, held[position + 7] << 24 | low, held[body] >> 4 == 1))
            position = end + 4
        if len(held) >= position:
            del held[:position]
            self._skip = 0
        else:
            self._skip = position
        return found


def avcc_parameter_sets(avcc: bytes) -> list[bytes]:
    """SPS and PPS. Raises `ValueError`."""
    sets: list[bytes] = []
    try:
        position = 5
        for count_mask in (0x1F, 0xFF):  # how many SPS, in five bits; behind them how many PPS
            count = avcc[position] & count_mask
            position += 1
            for _ in range(count):
                size = int.from_bytes(avcc[position : position + 2], "big")
                sets.append(avcc[position + 2 : position + 2 + size])
                position += 2 + size
    except IndexError as err:
        raise ValueError("torn decoder configuration") from err
    return sets

"""NAL units in their two framings: start codes (Annex B) and 4-byte lengths (ISO 14496-15 5.3.2).

Called by sources (Annex B to samples) and by whoever looks into a sample. Pure functions, linear in the
input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

H264_IDR, H264_SEI, H264_SPS, H264_PPS, H264_AUD = 5, 6, 7, 8, 9
"""nal_unit_type, H.264 table 7-1."""
H265_IRAP = range(16, 24)
"""Random access pictures: BLA, IDR, CRA and their reserved neighbours (H.265 table 7-1)."""
H265_VPS, H265_SPS, H265_PPS, H265_AUD, H265_SEI_PREFIX = 32, 33, 34, 35, 39

_START_CODE = b"\0\0\1"


def nal_type(codec: str, nal: bytes | bytearray | memoryview) -> int:
    """nal_unit_type of a NAL unit without start code; `codec` is `h264` or `h265`. Raises `ValueError`."""
    if not nal:
        raise ValueError("an empty NAL unit")
    if codec == "h264":
        return nal[0] & 0x1F
    if codec == "h265":
        return (nal[0] >> 1) & 0x3F
    raise ValueError(f"{codec} has no NAL units")


def is_keyframe_nal(codec: str, kind: int) -> bool:
    """Whether a slice of this type begins a picture that can be decoded alone: H.264 IDR, H.265 IRAP."""
    return kind == H264_IDR if codec == "h264" else 16 <= kind <= 23


def split_annexb(data: bytes | bytearray) -> list[bytes]:
    """NAL units between start codes of 3 or 4 bytes, without them and without trailing zeros (Annex B.1).

    What stands before the first start code, and empty units, are left out."""
    nals = []
    start = data.find(_START_CODE)
    while start >= 0:
        start += 3
        end = data.find(_START_CODE, start)
        nal = bytes(data[start:end] if end >= 0 else data[start:]).rstrip(b"\0")
        if nal:
            nals.append(nal)
        start = end
    return nals


def iter_length_prefixed(sample: bytes | bytearray | memoryview) -> Iterator[memoryview]:
    """The NAL units of a sample, as views into it. Raises `ValueError` where a length points past the end."""
    view = memoryview(sample)
    position = 0
    end = len(view)
    while position < end:
        start = position + 4
        position = start + int.from_bytes(view[position:start], "big")
        if start > end or position > end:
            raise ValueError("a NAL unit reaches past the end of its sample")
        yield view[start:position]


def join_length_prefixed(nals: Iterable[bytes | memoryview]) -> bytes:
    """A sample: each NAL unit behind its length in 4 bytes, big endian."""
    return b"".join(part for nal in nals for part in (len(nal).to_bytes(4, "big"), nal))

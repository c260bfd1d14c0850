"""H.264 and H.265 byte streams as the simulator needs them: NAL units apart, and the SEI message that
stamps a frame.

Used by the clip loader, the encoder and the streams. Independent of the product's own parsers on purpose:
what the recorder is measured against must not share its mistakes.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Iterator

SEI_UUID = uuid.UUID("6b1f6c9e-5d0a-4c53-9f0e-2f3f7a8d4c11")
"""user_data_unregistered (H.264 D.1.6, H.265 D.2.7) of a stamped frame; then counter and UTC ns, 8 bytes each."""

_START_CODE = b"\x00\x00\x01"
_NEEDS_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")
_SEI_PREFIX = {
    # NAL header, payload type 5, payload size 32, UUID. H.264 type 6; H.265 prefix SEI type 39, layer 0, TID 1.
    "h264": b"\x06\x05\x20" + SEI_UUID.bytes,
    "h265": b"\x4e\x01\x05\x20" + SEI_UUID.bytes,
}
_STAMP = struct.Struct(">QQ")


def build_stamp(codec: str, counter: int, utc_ns: int) -> bytes:
    """The SEI NAL unit of one frame, with emulation prevention (H.264 7.4.1, H.265 7.4.2)."""
    stamp = _NEEDS_ESCAPE.sub(b"\x00\x00\x03", _STAMP.pack(counter, utc_ns))
    return _SEI_PREFIX[codec] + stamp + b"\x80"


def nal_type(codec: str, nal: bytes) -> int:
    return nal[0] & 0x1F if codec == "h264" else (nal[0] >> 1) & 0x3F


def is_slice(codec: str, nal: bytes) -> bool:
    """True for VCL NAL units (H.264 table 7-1, H.265 table 7-1)."""
    kind = nal_type(codec, nal)
    return 1 <= kind <= 5 if codec == "h264" else kind < 32


def is_parameter_set(codec: str, nal: bytes) -> bool:
    kind = nal_type(codec, nal)
    return kind in (7, 8) if codec == "h264" else kind in (32, 33, 34)


def split_annexb(stream: bytes) -> list[bytes]:
    """NAL units between start codes (annex B), without trailing zero bytes."""
    nals = []
    at = stream.find(_START_CODE)
    while at >= 0:
        following = stream.find(_START_CODE, at + 3)
        nal = stream[at + 3 : following if following >= 0 else len(stream)].rstrip(b"\x00")
        if nal:
            nals.append(nal)
        at = following
    return nals


def split_length_prefixed(sample: bytes, length_size: int) -> Iterator[bytes]:
    """NAL units of an MP4 sample (ISO 14496-15 5.3.2). Raises `ValueError` where a length passes the end."""
    at = 0
    while at < len(sample):
        size = int.from_bytes(sample[at : at + length_size], "big")
        at += length_size
        if at + size > len(sample):
            raise ValueError("a NAL unit's length passes the end of its sample")
        if size:
            yield sample[at : at + size]
        at += size


def parse_avcc(record: bytes) -> tuple[int, list[bytes]]:
    """AVCDecoderConfigurationRecord (ISO 14496-15 5.3.3.1): length size and parameter sets."""
    sets, at = [], 5
    for mask in (0x1F, 0xFF):
        count = record[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            sets.append(record[at + 2 : at + 2 + size])
            at += 2 + size
    return (record[4] & 3) + 1, sets


def parse_hvcc(record: bytes) -> tuple[int, list[bytes]]:
    """HEVCDecoderConfigurationRecord (ISO 14496-15 8.3.3.1): length size and parameter sets."""
    sets, at = [], 23
    for _ in range(record[22]):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(record[at : at + 2], "big")
            nal = record[at + 2 : at + 2 + size]
            if is_parameter_set("h265", nal):
                sets.append(nal)
            at += 2 + size
    return (record[21] & 3) + 1, sets

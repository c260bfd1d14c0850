"""The size of a JPEG image from its frame header (ITU-T T.81 B.2.2), for MJPEG tracks."""

from __future__ import annotations

_FRAME_MARKERS = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_MAX_SEGMENTS = 200


def jpeg_size_px(image: bytes | bytearray) -> tuple[int, int]:
    """Width and height. Raises `ValueError` for what is no JPEG or hides its size."""
    if image[:2] != b"\xff\xd8":
        raise ValueError("not a JPEG image")
    position = 2
    for _ in range(_MAX_SEGMENTS):
        while image[position : position + 2] == b"\xff\xff":  # fill bytes (B.1.1.2)
            position += 1
        if len(image) < position + 4 or image[position] != 0xFF:
            break
        marker = image[position + 1]
        if marker in _ALONE:
            position += 2
            continue
        if marker in _FRAME_MARKERS:
            height = int.from_bytes(image[position + 5 : position + 7], "big")
            width = int.from_bytes(image[position + 7 : position + 9], "big")
            if width and height:
                return width, height
            break
        position += 2 + int.from_bytes(image[position + 2 : position + 4], "big")
    raise ValueError("a JPEG image without a usable size")

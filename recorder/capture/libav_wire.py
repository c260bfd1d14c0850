"""The byte stream between `LibavSource` and its child process: length-prefixed binary frames, child to
parent.

The child holds a library that hostile bytes may have taken over, so the parent bounds every length and trusts
no field.
"""

from __future__ import annotations

import json
import struct
from typing import Any

HEAD = struct.Struct(">BIqIB")
"""Kind, length of the payload, timestamp (ticks of the track), duration (ticks), is keyframe."""
MAX_PAYLOAD_BYTES = 16 << 20

PARAMETERS, VIDEO, AUDIO, ERROR = 1, 2, 3, 4


def pack(kind: int, payload: bytes, timestamp: int = 0, duration: int = 0, *, is_keyframe: bool = False) -> bytes:
    return HEAD.pack(kind, len(payload), timestamp, duration, is_keyframe) + payload


def pack_json(kind: int, content: dict[str, Any]) -> bytes:
    return pack(kind, json.dumps(content).encode())

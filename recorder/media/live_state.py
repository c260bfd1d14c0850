"""Why a stream has no live picture, in words: read from capture's status files. Called in a thread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recorder.archive.exceptions import iso_utc
from recorder.media.broadcast import LiveError

MAX_STATUS_BYTES = 4 << 20
HOPELESS = frozenset(
    {"unauthorized", "refused", "unreachable", "busy", "no_video", "unknown_codec", "error", "stopped"}
)
"""States in which waiting for the picture makes no sense."""


def explain(run_directory: Path, key: str) -> LiveError:
    """The best sentence there is; never raises."""
    status = read_stream_status(run_directory, key)
    if status is None:
        return LiveError("not_running", "This stream is not being recorded at the moment.")
    state, detail, since_ns = status.get("state"), status.get("state_detail"), status.get("since_ns")
    since = iso_utc(since_ns // 1_000_000) if isinstance(since_ns, int) and since_ns > 0 else None
    if state in ("recording", "live"):
        return LiveError("stalled", "The camera sends no picture at the moment.", since)
    if not isinstance(detail, str) or not detail:
        detail = "The camera is being connected." if state == "connecting" else "The camera gives no picture."
    return LiveError(str(status.get("error_code") or state or "not_running"), detail, since)


def read_stream_status(run_directory: Path, key: str) -> dict[str, Any] | None:
    for path in sorted(run_directory.glob("status-*.json")):
        try:
            if path.stat().st_size > MAX_STATUS_BYTES:
                continue
            streams = json.loads(path.read_bytes())["streams"]
            found = next((stream for stream in streams if stream.get("key") == key), None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if isinstance(found, dict):
            return found
    return None


def is_hopeless(run_directory: Path, key: str) -> bool:
    status = read_stream_status(run_directory, key)
    return status is not None and status.get("state") in HOPELESS

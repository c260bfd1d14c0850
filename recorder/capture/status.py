"""The status file of a shard: what each stream does now, for the worker, the pages and the operations CLI.

Replaced atomically each second and soon after a change of state, by a thread, so that a hanging disk can't
stop recording. Holds no address, user name or password. Readers take `written_ns` as the sign of life.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
STATES = (
    "connecting",
    "recording",
    "live",
    "stalled",
    "unauthorized",
    "refused",
    "unreachable",
    "busy",
    "no_video",
    "unknown_codec",
    "error",
    "stopped",
)


@dataclass
class StreamStatus:
    """One stream; times in ns since the epoch (UTC), counters since the shard started."""

    key: str
    camera: str
    stream: str
    state: str = "connecting"
    state_detail: str = ""
    """A sentence for a person, empty while all is well."""
    error_code: str | None = None
    since_ns: int = 0
    codec: str = ""
    width_px: int = 0
    height_px: int = 0
    audio_codec: str | None = None
    fps: float = 0.0
    bitrate_bps: int = 0
    last_frame_ns: int | None = None
    last_keyframe_ns: int | None = None
    connected_ns: int | None = None
    frames: int = 0
    bytes: int = 0
    lost_packets: int = 0
    dropped_frames: int = 0
    """Frames that the server itself could not keep: no room, a slow disk."""
    discontinuities: int = 0
    """Jumps of the camera's clock that were straightened out."""
    reconnects: int = 0
    gaps: int = 0
    run: str | None = None
    retry_at_ns: int | None = None


@dataclass
class VolumeStatus:
    id: str
    path: str
    is_buffer: bool
    is_healthy: bool = True
    detail: str = ""
    free_bytes: int | None = None
    waiting_bytes: int = 0
    """Frames handed to the volume's thread and not yet written."""
    last_sync_ms: float = 0.0
    synced_ns: int | None = None


@dataclass
class ShardStatus:
    shard: int
    pid: int
    server: str = ""
    config_version: int = 0
    started_ns: int = 0
    written_ns: int = 0
    is_journal_failing: bool = False
    is_clock_trusted: bool = True
    clock_steps: int = 0
    streams: list[StreamStatus] = field(default_factory=list)
    volumes: list[VolumeStatus] = field(default_factory=list)


def write_status(path: Path, content: dict[str, Any]) -> None:
    """Replace the file atomically; it needn't survive a power cut. Raises `OSError`."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content))
    temporary.rename(path)


def status_content(status: ShardStatus) -> dict[str, Any]:
    """A copy that a thread may write; the fields are flat, which is a tenth of the cost of `asdict`."""
    content = {"format": FORMAT_VERSION, **vars(status)}
    content["streams"] = [vars(stream).copy() for stream in status.streams]
    content["volumes"] = [vars(volume).copy() for volume in status.volumes]
    return content


def read_status(path: Path) -> ShardStatus:
    """Raises `FileNotFoundError`, or `ValueError` when the file is of another format."""
    content = json.loads(path.read_text())
    if content.pop("format", None) != FORMAT_VERSION:
        raise ValueError(f"{path} is not a shard status of format {FORMAT_VERSION}")
    content["streams"] = [StreamStatus(**stream) for stream in content["streams"]]
    content["volumes"] = [VolumeStatus(**volume) for volume in content["volumes"]]
    return ShardStatus(**content)

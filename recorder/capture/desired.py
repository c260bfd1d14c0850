"""The desired state: the one file that tells capture what to record, and where.

Written by the recorder's worker (from the database), read by the capture shards and the media service, so
that both work with every database and broker gone. Holds camera passwords: mode 0600, in a directory of mode
0700. Replaced atomically (write, fsync, rename), so a reader sees the old or the new state, never a mixture.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    id: str
    """UUID, equal to the one in the volume's `meta` file."""
    path: str
    is_buffer: bool = False
    """A ring in memory for live-only cameras; its segments are deleted after `BUFFER_S`."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream of one camera. Two equal specs mean: leave the stream alone."""

    camera: str
    stream: str
    """`main` or `sub`."""
    shard: int
    epoch: int
    url: str
    """Without user or password."""
    volume: str
    """ID of the volume to write to; a buffer volume for live-only cameras."""
    username: str = ""
    password: str = field(default="", repr=False)
    transport: str = "tcp"
    """`tcp` or `udp`."""
    segment_s: int = 60
    allow_loopback: bool = False
    """Only for the product's own simulated cameras."""
    restart: int = 0
    """Raised to have the stream reconnect."""

    @property
    def key(self) -> str:
        """`<camera>.<stream>`: names the stream in status, logs and the live directory."""
        return f"{self.camera}.{self.stream}"


@dataclass(frozen=True, slots=True)
class DesiredState:
    server: str
    """UUID of the server that this state is for."""
    config_version: int
    shards: int
    camera_networks: tuple[str, ...]
    volumes: tuple[VolumeSpec, ...]
    streams: tuple[StreamSpec, ...]
    cut_before: dict[str, float] = field(default_factory=dict)
    """Subject of media tokens (`user:<id>`, `session:<hash>`) to the Unix time before which its tokens are void."""


def write_desired(path: Path, state: DesiredState) -> None:
    """Replace the file atomically and durably. Raises `OSError`."""
    temporary = path.with_suffix(".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"format": FORMAT_VERSION, **asdict(state)}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def read_desired(path: Path) -> DesiredState:
    """Raises `FileNotFoundError`, or `ValueError` when the file is of another format."""
    content = json.loads(path.read_text())
    if content.pop("format", None) != FORMAT_VERSION:
        raise ValueError(f"{path} is not a desired state of format {FORMAT_VERSION}")
    content["camera_networks"] = tuple(content["camera_networks"])
    content["volumes"] = tuple(VolumeSpec(**volume) for volume in content["volumes"])
    content["streams"] = tuple(StreamSpec(**stream) for stream in content["streams"])
    return DesiredState(**content)

"""One open segment file: what the event loop knows of it, and what the volume's writer thread does with it.

The recorder of a stream (event loop) appends fragments to `buffers` and counts; the writer thread of the
volume opens the file, writes whole batches with one `writev`, and closes it with its index. The two sides
share no field that both write. Invariants: the file is made with `O_EXCL` under its `.part` name and held by
`flock` while it's written; it consists of whole fragments at any batch border; a file that failed is never
written again but by salvage.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.archive.layout import segment_path
from recorder.causes import GapCause
from recorder.fmp4 import SampleIndexBuilder
from recorder.samples import AudioParameters, VideoParameters

NAME_ATTEMPTS = 50
"""A taken name (same millisecond and epoch) is passed over by 1 ms each."""
IOV_MAX = 1024
"""Buffers that one `writev` takes on Linux (limits.h, UIO_MAXIOV)."""

FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class VolumeError(Exception):
    """A volume can't be written; the message is a sentence for a person."""

    def __init__(self, cause: GapCause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def volume_error(path: Path, err: OSError) -> VolumeError:
    if err.errno in FULL_ERRORS:
        return VolumeError(GapCause.DISK_FULL, f"The volume {path} is full.")
    reason = os.strerror(err.errno) if err.errno else str(err)
    return VolumeError(GapCause.DISK_LOST, f"The volume {path} can't be written: {reason}.")


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """What a segment is of; fixed when it begins."""

    key: str
    camera: str
    stream: str
    epoch: int
    run: str
    start_ns: int
    init: bytes
    video: VideoParameters
    audio: AudioParameters | None
    live_link: Path | None
    """Symlink to replace when the file is open."""


class OpenSegment:
    """See the module; `on_failure` is called on the event loop, once at most."""

    __slots__ = (
        "buffers",
        "end_ns",
        "error",
        "fd",
        "final_path",
        "frames",
        "index",
        "is_queued",
        "is_tainted",
        "keyframes",
        "offset",
        "on_failure",
        "path",
        "plan",
        "start_ms",
        "written_bytes",
    )

    def __init__(self, plan: SegmentPlan, on_failure: Callable[[OpenSegment, VolumeError], None]) -> None:
        self.plan = plan
        self.on_failure = on_failure
        # The event loop's side.
        self.index = SampleIndexBuilder()
        self.offset = len(plan.init)
        self.buffers: list[bytes | bytearray] = []
        self.is_queued = False
        self.frames = 0
        self.keyframes = 0
        self.end_ns = plan.start_ns
        # The writer thread's side.
        self.fd = -1
        self.start_ms = 0
        self.path = Path()
        self.final_path = Path()
        self.written_bytes = 0
        self.error: VolumeError | None = None
        self.is_tainted = False
        """A sync failed while it was open: what it holds on disk is unknown."""

    def open(self, volume: Path) -> None:
        """Make the file, write the init segment, point the live link at it. Raises `OSError`."""
        plan = self.plan
        first_ms = plan.start_ns // 1_000_000
        for start_ms in range(first_ms, first_ms + NAME_ATTEMPTS):
            final_path = segment_path(volume, plan.camera, plan.stream, start_ms, plan.epoch)
            path = segment_path(volume, plan.camera, plan.stream, start_ms, plan.epoch, is_open=True)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if final_path.exists():
                continue
            try:
                self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            break
        else:
            raise FileExistsError(errno.EEXIST, "no free segment name")
        fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.start_ms, self.path, self.final_path = start_ms, path, final_path
        self.write([plan.init])
        if plan.live_link is not None:
            point_live_link(plan.live_link, path)

    def write(self, buffers: list[bytes | bytearray]) -> None:
        """Append the buffers; short writes are continued. Raises `OSError`, and then the file may end in half a
        fragment, which salvage cuts off."""
        start = 0
        while start < len(buffers):
            part = buffers[start : start + IOV_MAX]
            wanted = sum(map(len, part))
            written = os.writev(self.fd, part)
            while written < wanted:
                written += self._write_rest(part, written)
            self.written_bytes += wanted
            start += IOV_MAX

    def _write_rest(self, part: list[bytes | bytearray], written: int) -> int:
        rest = memoryview(b"".join(part))[written:]
        count = os.write(self.fd, rest)
        if not count:
            raise OSError(errno.EIO, "write of 0 bytes")
        return count

    def finish(self) -> dict[str, Any]:
        """Append the index and close; returns what the journal says of the file, but for the volume. Raises `OSError`
        also when the file isn't as long as what was written."""
        media_end = self.written_bytes
        try:
            self.write([self.index.trailer(media_end, len(self.plan.init))])
        except ValueError as err:
            raise OSError(errno.EIO, f"no index: {err}") from err
        size_bytes = os.fstat(self.fd).st_size
        if size_bytes != self.written_bytes:
            raise OSError(errno.EIO, f"{size_bytes} bytes instead of {self.written_bytes}")
        self.abandon()
        plan = self.plan
        return segment_row(
            plan.camera,
            plan.stream,
            plan.epoch,
            plan.run,
            plan.start_ns,
            self.end_ns,
            size_bytes,
            self.frames,
            self.keyframes,
            plan.video,
            plan.audio,
        )

    def abandon(self) -> None:
        """Close the file as it is; salvage will look at it."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)


def segment_row(
    camera: str,
    stream: str,
    epoch: int,
    run: str,
    start_ns: int,
    end_ns: int,
    size_bytes: int,
    frames: int,
    keyframes: int,
    video: VideoParameters | None,
    audio: AudioParameters | None,
) -> dict[str, Any]:
    """Payload of a `segment` entry without volume and path."""
    return {
        "run": run,
        "camera": camera,
        "stream": stream,
        "epoch": epoch,
        "start_ns": start_ns,
        "end_ns": end_ns,
        "size_bytes": size_bytes,
        "frames": frames,
        "keyframes": keyframes,
        "video_codec": video.codec if video else "",
        "width_px": video.width_px if video else 0,
        "height_px": video.height_px if video else 0,
        "audio_codec": audio.codec if audio else None,
    }


def point_live_link(link: Path, target: Path) -> None:
    """Replace the symlink atomically. Raises `OSError`."""
    temporary = link.with_name(f".{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.rename(link)

"""A volume as one shard sees it: a thread that writes frames, and beside it the committer (`committer.py`).

The event loop never touches the disk: frames go into a batch that is handed to the writer thread every
`BATCH_S`, one wake-up for all streams of the volume. So a slow or hanging volume holds up neither the loop
nor another volume; its frames wait (bounded), then whole GOPs are dropped, sub streams first.
docs/design/capture.md has the sums.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from recorder.capture.committer import Committer
from recorder.capture.desired import VolumeSpec
from recorder.capture.segment import OpenSegment, VolumeError, volume_error
from recorder.causes import GapCause

BATCH_S = 0.02
"""Frames wait at most this long for the writer thread (sane: 0.005 to 0.05); live pictures wait with them."""
MAX_WAITING_BYTES = 192 << 20
"""For main streams; sub streams are dropped at half of it. 64 cameras of 1.6 Mbit/s fill it in 15 s."""
MAX_WAITING_S = 10.0
HANGING_S = 2.0
"""A batch that takes longer makes the streams look for another volume."""
RETRY_S = 3.0
"""A volume that failed is tried again after this long, and used again when the trial worked."""
TRIAL_BYTES = 1 << 20
RESERVE_BYTES = 8 << 20
"""Left free, so that open segments can be closed with their index."""

Operation = tuple[str, "OpenSegment | None", Any]

log = logging.getLogger("capture.volume")


class Volume:
    """Started on the event loop. `overload` is 0, 1 (drop sub streams) or 2 (drop all)."""

    def __init__(self, spec: VolumeSpec, loop: asyncio.AbstractEventLoop, committer: Committer) -> None:
        self.spec = spec
        self.path = Path(spec.path)
        self.committer = committer
        self.overload = 0
        self.submitted_bytes = 0
        self.written_bytes = 0
        self.failure: VolumeError | None = None
        self._failed_s = 0.0
        self._is_probing = False
        self._loop = loop
        self._batch: list[Operation] = []
        self._queue: SimpleQueue[tuple[float, list[Operation]] | None] = SimpleQueue()
        self._busy_since_s = 0.0
        self._thread = threading.Thread(target=self._write_all, name=f"write {spec.path}", daemon=True)

    def start(self) -> None:
        self.committer.start()
        self._thread.start()
        self._probe()

    @property
    def waiting_bytes(self) -> int:
        return self.submitted_bytes - self.written_bytes

    @property
    def is_hanging(self) -> bool:
        busy_since_s = self._busy_since_s
        return bool(busy_since_s) and time.monotonic() - busy_since_s > HANGING_S

    @property
    def obstacle(self) -> VolumeError | None:
        """Why no segment should begin here, None when one may."""
        if self.is_hanging:
            return VolumeError(GapCause.DISK_LOST, f"The volume {self.path} doesn't answer.")
        if self.overload:
            return VolumeError(GapCause.OVERLOAD, f"The volume {self.path} is too slow.")
        if self.failure is None and self.is_almost_full:
            return VolumeError(GapCause.DISK_FULL, f"The volume {self.path} is full.")
        return self.failure

    @property
    def is_doubtful(self) -> bool:
        """What was written last may not be on the disk: better another volume, but better this one than none."""
        return self.committer.is_suspect

    @property
    def is_good(self) -> bool:
        """An archive volume that other volumes' streams may move to."""
        return not self.spec.is_buffer and self.obstacle is None and not self.is_doubtful

    @property
    def is_almost_full(self) -> bool:
        free_bytes = self.committer.free_bytes
        return free_bytes is not None and free_bytes < RESERVE_BYTES

    # On the event loop.

    def begin(self, segment: OpenSegment, predecessor: tuple[Volume, OpenSegment, int] | None) -> None:
        """Open `segment`; then close `predecessor` (its volume, the segment, its end in ns), so that followers find
        the new file when the old one ends."""
        self._submit(("open", segment, predecessor))

    def append(self, segment: OpenSegment, header: bytes, sample: bytes | bytearray) -> None:
        """One whole fragment. Called once a frame."""
        buffers = segment.buffers
        if not buffers:
            self._submit(("write", segment, None))
        buffers.append(header)
        buffers.append(sample)
        self.submitted_bytes += len(header) + len(sample)

    def end(self, segment: OpenSegment, end_ns: int) -> None:
        self._submit(("close", segment, end_ns))

    def _probe(self) -> None:
        """Have the thread find out whether the volume can be written (again)."""
        self._is_probing = True
        self._queue.put((time.monotonic(), [("probe", None, None)]))

    def _submit(self, operation: Operation) -> None:
        if not self._batch:
            self._loop.call_later(BATCH_S, self.flush)
        self._batch.append(operation)

    def flush(self, *, is_last: bool = False) -> None:
        """Hand the batch over, or wait while the thread is busy with an earlier one: so a slow disk gets few large
        writes
        instead of a queue of small ones."""
        if not self._batch:
            return
        self._judge_load()
        if self._busy_since_s and not is_last:
            self._loop.call_later(BATCH_S, self.flush)
            return
        batch, self._batch = self._batch, []
        ready: list[Operation] = []
        for operation in batch:
            if operation[0] == "write":
                segment = operation[1]
                ready.append(("write", segment, segment.buffers))
                segment.buffers = []
            else:
                ready.append(operation)
        self._queue.put((time.monotonic(), ready))

    def _judge_load(self) -> None:
        busy_since_s = self._busy_since_s
        age_s = time.monotonic() - busy_since_s if busy_since_s else 0.0
        waiting = self.submitted_bytes - self.written_bytes
        if waiting > MAX_WAITING_BYTES or age_s > MAX_WAITING_S:
            self.overload = 2
        elif waiting > MAX_WAITING_BYTES // 2 or age_s > MAX_WAITING_S / 2:
            self.overload = 1
        elif self.overload and waiting < MAX_WAITING_BYTES // 4 and age_s < 1:
            self.overload = 0

    def check(self) -> None:
        """Once a second: overload ends also when nothing is handed over any more, a volume that failed is tried."""
        if self.overload and self.waiting_bytes < MAX_WAITING_BYTES // 4 and not self.is_hanging:
            self.overload = 0
        has_waited = time.monotonic() - self._failed_s > RETRY_S
        if self.failure is not None and has_waited and not self._is_probing:
            self._probe()

    def stop(self, timeout_s: float) -> bool:
        """Write what waits, commit, end both threads; false when the disk didn't let that happen in time."""
        deadline_s = time.monotonic() + timeout_s
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        return self.committer.stop(max(0.0, deadline_s - time.monotonic()))

    # On the writer thread.

    def _write_all(self) -> None:
        get = self._queue.get
        while (work := get()) is not None:
            self._busy_since_s, batch = work
            for kind, segment, argument in batch:
                try:
                    if kind == "write":
                        buffers = argument
                        if segment.error is None:
                            segment.write(buffers)
                        self.written_bytes += sum(map(len, buffers))
                    elif kind == "open":
                        self._open(segment, argument)
                    elif kind == "close":
                        self._close(segment, argument)
                    else:
                        self._is_probing = False
                        try_volume(self.spec)
                        self.failure = None
                except OSError as err:
                    if kind == "write":
                        self.written_bytes += sum(map(len, argument))
                    self._fail(segment, volume_error(self.path, err))
                except VolumeError as err:
                    self._fail(segment, err)
                except Exception:
                    log.exception("volume %s: a write failed unexpectedly", self.path)
                    self._fail(segment, VolumeError(GapCause.UNKNOWN, "Writing failed; the log has the details."))
            self.committer.mark_dirty()
            self._busy_since_s = 0.0

    def _open(self, segment: OpenSegment, predecessor: tuple[Volume, OpenSegment, int] | None) -> None:
        try:
            check_volume(self.spec)
            segment.open(self.path)
            self.committer.opened(segment)
        finally:
            if predecessor is not None:
                volume, old, end_ns = predecessor
                if volume is self:
                    self._close(old, end_ns)
                else:
                    self._loop.call_soon_threadsafe(volume.end, old, end_ns)

    def _close(self, segment: OpenSegment, end_ns: int) -> None:
        if segment.error is not None or segment.fd < 0:
            return
        try:
            segment.end_ns = end_ns
            row = segment.finish()
        except OSError as err:
            self._fail(segment, volume_error(self.path, err))
            return
        row["volume"] = self.spec.id
        row["path"] = str(segment.final_path.relative_to(self.path))
        self.committer.closed(segment, row)

    def _fail(self, segment: OpenSegment | None, error: VolumeError) -> None:
        self.failure = error
        self._failed_s = time.monotonic()
        if segment is None or segment.error is not None:
            return
        segment.error = error
        segment.abandon()
        self.committer.failed(segment)
        self._loop.call_soon_threadsafe(segment.on_failure, segment, error)


def check_volume(spec: VolumeSpec) -> None:
    """Raise `VolumeError` unless the directory is the volume that it should be: an empty mount point and a swapped
    disk are told by the `meta` file. Buffers are made where they are missing (a reboot empties them)."""
    path = Path(spec.path)
    meta = path / "meta"
    try:
        content = json.loads(meta.read_text())
        found = content.get("volume")
    except FileNotFoundError:
        if spec.is_buffer:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            meta.write_text(json.dumps({"volume": spec.id}))
            return
        raise VolumeError(GapCause.DISK_LOST, f"The volume {path} isn't mounted: its meta file is missing.") from None
    except OSError as err:
        raise volume_error(path, err) from err
    except (ValueError, AttributeError) as err:
        raise VolumeError(GapCause.DISK_LOST, f"The meta file of the volume {path} can't be read.") from err
    if found != spec.id:
        raise VolumeError(GapCause.DISK_LOST, f"Another volume is mounted at {path}.")


def try_volume(spec: VolumeSpec) -> None:
    """Write and remove a file, to see whether there is room. Raises `VolumeError`, `OSError`."""
    check_volume(spec)
    trial = Path(spec.path) / f".trial-{os.getpid()}"
    try:
        fd = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, TRIAL_BYTES)
            os.write(fd, b"trial")
            os.fsync(fd)
        finally:
            os.close(fd)
    finally:
        trial.unlink(missing_ok=True)

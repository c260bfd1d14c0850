"""Makes segments durable: one thread for each volume and shard, one `syncfs` a second while something was
written.

A closed file takes three steps, in this order and no other: a sync that covers its bytes, the rename from
`.part` to its name, a sync that covers the rename; only then does the journal name it. A sync that failed is
never taken for one that worked: the kernel forgets the error with the report, so what was open or waiting
then stays `.part` and is read again by salvage. Files of a buffer volume are renamed at once, never synced or
journaled, and deleted after `BUFFER_S`.
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recorder.capture.desired import VolumeSpec
from recorder.capture.segment import OpenSegment

SYNC_INTERVAL_S = 1.0
"""Footage that a power cut may take, roughly (sane: 0.5 to 5)."""
BUFFER_S = 60
"""Age at which segments of a buffer volume are deleted."""
SALVAGE_INTERVAL_S = 10.0
SWEEP_INTERVAL_S = 10.0

log = logging.getLogger("capture.commit")

_libc = ctypes.CDLL(None, use_errno=True)


def sync_filesystem(fd: int) -> None:
    """syncfs(2): write all of the file system that `fd` is on; reports write errors since `fd` was opened (Linux 5.8).
    Raises `OSError`. Without the GIL while it waits."""
    if _libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


Closed = tuple[OpenSegment, dict[str, Any]]


def free_bytes(path: Path) -> int | None:
    """What the file system still takes, None when it doesn't say."""
    try:
        stats = os.statvfs(path)
    except OSError:
        return None
    return stats.f_bavail * stats.f_frsize


class Committer:
    def __init__(
        self,
        spec: VolumeSpec,
        journal: Callable[[str, dict[str, Any]], None],
        salvage: Callable[[VolumeSpec, OpenSegment], bool],
        *,
        sync: Callable[[int], None] = sync_filesystem,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`salvage(volume, segment)` repairs a failed file and journals it; false to be asked again."""
        self.spec = spec
        self.last_sync_ms = 0.0
        self.synced_ns: int | None = None
        self.is_suspect = False
        """A sync failed and none has worked since."""
        self._path = Path(spec.path)
        self._journal = journal
        self._salvage = salvage
        self._sync = sync
        self._monotonic = monotonic
        self._wake = threading.Condition()
        self._is_dirty = False
        self._is_stopping = False
        self._open: set[OpenSegment] = set()
        self._closed: list[Closed] = []
        self._renamed: list[Closed] = []
        self._failed: list[OpenSegment] = []
        self._next_sweep_s = 0.0
        self.free_bytes: int | None = None
        self._fd = -1
        self._thread = threading.Thread(target=self._run, name=f"commit {spec.path}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # From the writer thread.

    def mark_dirty(self) -> None:
        if not self._is_dirty:
            with self._wake:
                self._is_dirty = True
                self._wake.notify()

    def opened(self, segment: OpenSegment) -> None:
        with self._wake:
            self._open.add(segment)

    def closed(self, segment: OpenSegment, row: dict[str, Any]) -> None:
        with self._wake:
            self._open.discard(segment)
            if segment.is_tainted:
                self._failed.append(segment)
            else:
                self._closed.append((segment, row))
            self._is_dirty = True
            self._wake.notify()

    def failed(self, segment: OpenSegment) -> None:
        with self._wake:
            self._open.discard(segment)
            if segment.path.name:
                self._failed.append(segment)

    def stop(self, timeout_s: float) -> bool:
        """Commit what is closed and end; false when that took too long."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # On the committer's thread.

    def _run(self) -> None:
        next_sync_s = next_salvage_s = 0.0
        while True:
            with self._wake:
                while not self._is_dirty and not self._is_stopping:
                    self._wake.wait(SALVAGE_INTERVAL_S)
                    if self._failed or self.is_suspect or self.spec.is_buffer:
                        break
                wait_s = next_sync_s - self._monotonic()
                if wait_s > 0 and not self._is_stopping:
                    self._wake.wait_for(lambda: self._is_stopping, wait_s)
                is_stopping = self._is_stopping
            next_sync_s = self._monotonic() + SYNC_INTERVAL_S
            try:
                while self.commit() and is_stopping:
                    pass
                self.free_bytes = free_bytes(self._path)
                if self._monotonic() >= next_salvage_s and not is_stopping:
                    next_salvage_s = self._monotonic() + SALVAGE_INTERVAL_S
                    self._salvage_failed()
            except Exception:
                log.exception("volume %s: the commit failed unexpectedly", self._path)
                if is_stopping:
                    break
            if is_stopping:
                break
        if self._fd >= 0:
            os.close(self._fd)

    def commit(self) -> bool:
        """One cycle; true when another one is needed to finish what this one began."""
        with self._wake:
            closed, self._closed = self._closed, []
            renamed, self._renamed = self._renamed, []
            is_open = list(self._open)
            self._is_dirty = False
        if self.spec.is_buffer:
            self._commit_buffer(closed)
            return False
        started_s = time.monotonic()
        try:
            if self._fd < 0:
                self._require_meta()
                self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._refuse_other_disk(self._fd)
            self._sync(self._fd)
        except OSError as err:
            self._lose(is_open, closed, renamed, err)
            return False
        self.is_suspect = False
        self.last_sync_ms = (time.monotonic() - started_s) * 1000
        self.synced_ns = time.time_ns()
        for _, row in renamed:
            self._journal("segment", row)
        done = []
        for segment, row in closed:
            try:
                segment.path.rename(segment.final_path)
            except OSError as err:
                log.error("%s can't be renamed: %s", segment.path, err)
                self._failed.append(segment)
            else:
                done.append((segment, row))
        if done:
            with self._wake:
                self._renamed.extend(done)
                self._is_dirty = True
        return bool(done)

    def _require_meta(self) -> None:
        """An empty mount point syncs well, and says nothing of the disk that should be there. Raises `OSError`."""
        try:
            found = json.loads((self._path / "meta").read_text()).get("volume")
        except (ValueError, AttributeError) as err:
            raise OSError(errno.EIO, "the volume's meta file can't be read") from err
        if found != self.spec.id:
            raise OSError(errno.ESTALE, "another volume is mounted there")

    def _refuse_other_disk(self, fd: int) -> None:
        """A disk that was unmounted under us (and maybe mounted again) is still what `fd` reaches, and a sync of it
        says
        nothing of the files below the path. Raises `OSError`."""
        ours, theirs = os.fstat(fd), self._path.stat()
        if (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino):
            raise OSError(errno.ESTALE, "another file system is mounted there")

    def _lose(self, is_open: list[OpenSegment], closed: list[Closed], renamed: list[Closed], err: OSError) -> None:
        """After a failed sync nothing that it should have covered is trusted; not even a rename: a file system that
        gave up
        may show the old name when it is mounted again, so salvage looks for both."""
        if not self.is_suspect:
            log.error(
                "volume %s: sync failed (%s); %d files will be read again",
                self._path,
                err,
                len(is_open) + len(closed) + len(renamed),
            )
        self.is_suspect = True
        for segment in is_open:
            segment.is_tainted = True
        for segment, _ in renamed:
            segment.path = segment.final_path
        with self._wake:
            self._failed.extend(segment for segment, _ in (*closed, *renamed))
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _salvage_failed(self) -> None:
        with self._wake:
            failed, self._failed = self._failed, []
        kept = [segment for segment in failed if not self._salvage(self.spec, segment)]
        with self._wake:
            self._failed.extend(kept)

    def _commit_buffer(self, closed: list[Closed]) -> None:
        now_s = self._monotonic()
        for segment, _ in closed:
            try:
                segment.path.rename(segment.final_path)
            except OSError as err:
                log.warning("%s can't be renamed: %s", segment.path, err)
        if now_s >= self._next_sweep_s:
            self._next_sweep_s = now_s + SWEEP_INTERVAL_S
            sweep_buffer(self._path, time.time() - BUFFER_S)


def sweep_buffer(volume: Path, before_s: float) -> int:
    """Delete the segments of a buffer last written before `before_s` (Unix time), also those of a shard that
    died; returns how many."""
    count = 0
    for pattern in ("*/*/*/*/*.mp4", "*/*/*/*/*.mp4.part"):
        for path in volume.glob(pattern):
            try:
                if path.stat().st_mtime < before_s:
                    path.unlink()
                    count += 1
            except FileNotFoundError:
                continue
    return count

"""One capture process: the streams of its shard, their volumes, journal and status.

Runs by itself: the desired-state file says what to record, and nothing else is needed. Everything on the
event loop is memory only; disks are touched by the threads of the volumes, the journal and the status file.
One exception in one stream costs that stream.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from recorder.capture.clock import WallClock
from recorder.capture.committer import Committer
from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, read_desired
from recorder.capture.journal import Journal
from recorder.capture.journal_writer import JournalWriter
from recorder.capture.recording import Surroundings
from recorder.capture.recovery import Recovery
from recorder.capture.segment import VolumeError
from recorder.capture.sources import make_source
from recorder.capture.status import ShardStatus, VolumeStatus, read_status, status_content, write_status
from recorder.capture.stream import ConnectGate, StreamTask
from recorder.capture.volume import Volume
from recorder.causes import EndReason, GapCause
from recorder.home import VmsHome

WATCH_S = 0.2
PACE_S = 0.008
"""Sane: 0.002 to 0.02. A live picture waits for half of it, and of `volume.BATCH_S`."""
PACE_FROM_STREAMS = 8
STARTS_PER_S = 10.0
STATUS_S = 1.0
STATUS_DELAY_S = 0.05
"""A change of state shows in the file this much later, so that a storm of changes is one write."""
STOP_STREAMS_S = 1.0
STOP_VOLUMES_S = 1.5

log = logging.getLogger("capture")


class Shard:
    def __init__(self, home: VmsHome, number: int) -> None:
        """Raises `OSError`, `sqlite3.Error` when the journal can't be opened."""
        self.number = number
        self._home = home
        self._wall = WallClock()
        self._started_ns = self._wall.now_ns()
        self._journal = Journal(home.journal(number))
        memory = self._journal.memory()
        self._journal_writer = JournalWriter(self._journal)
        self._recovery = Recovery(memory, self._journal_writer.append, self._started_ns, self._last_sign_of_life_ns())
        self._desired: DesiredState | None = None
        self._seen: tuple[int, int, int] | None = None
        self._streams: dict[str, StreamTask] = {}
        self._changing: dict[str, asyncio.Task[Any]] = {}
        self._covered_ns: dict[str, int] = {}
        self._volumes: dict[str, Volume] = {}
        self._retired: list[Volume] = []
        self._gate = ConnectGate(STARTS_PER_S)
        self._stopping = asyncio.Event()
        self._status_writer = ThreadPoolExecutor(1, thread_name_prefix="status")
        self._status_future: asyncio.Future[None] | None = None
        self._status_timer: asyncio.TimerHandle | None = None
        self._surroundings = Surroundings(
            self._wall, self._journal_writer.append, self._choose_volume, home.live, self._show_soon
        )

    def _last_sign_of_life_ns(self) -> int | None:
        try:
            return read_status(self._home.status(self.number)).written_ns
        except (OSError, ValueError, TypeError, KeyError):
            return None

    async def run(self) -> None:
        """Until `stop()`; then everything is closed and committed, within some 3 s."""
        self._journal_writer.start()
        self._pace()
        next_status_s = 0.0
        while not self._stopping.is_set():
            self._look_at_desired()
            now_s = time.monotonic()
            if now_s >= next_status_s:
                next_status_s = now_s + STATUS_S
                self._tick()
            try:
                await asyncio.wait_for(self._stopping.wait(), WATCH_S)
            except TimeoutError:
                pass
        await self._close()

    def stop(self) -> None:
        self._stopping.set()

    def _pace(self) -> None:
        """Let packets of several cameras gather before the loop looks at its sockets again.

        A wake-up for each frame of each camera costs more than all the parsing in it; with many cameras it's
        cheaper to look `PACE_S` later and find several frames, each in one read. The sleep is without the GIL,
        so the writer threads run meanwhile. Few cameras are served at once."""
        loop = asyncio.get_running_loop()
        if len(self._streams) < PACE_FROM_STREAMS or self._stopping.is_set():
            loop.call_later(1.0, self._pace)
            return
        time.sleep(PACE_S)
        loop.call_soon(self._pace)

    # What is desired.

    def _look_at_desired(self) -> None:
        try:
            stat = self._home.desired.stat()
        except OSError:
            return
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            desired = read_desired(self._home.desired)
        except (OSError, ValueError, TypeError, KeyError) as err:
            if isinstance(err, OSError):
                self._seen = None  # it may be readable the next time
            log.error("the desired state can't be read, the former one stays: %s", type(err).__name__)
            return
        try:
            self._apply(desired)
        except Exception:
            log.exception("the desired state could not be applied")

    def _apply(self, desired: DesiredState) -> None:
        is_first = self._desired is None
        self._desired = desired
        self._apply_volumes(desired.volumes)
        wanted = {spec.key: spec for spec in desired.streams if spec.shard == self.number}
        changed = [key for key, task in self._streams.items() if wanted.get(key) != task.spec]
        for key in changed:
            self._replace(key, wanted.get(key))
        for key, spec in wanted.items():
            if key not in self._streams and key not in self._changing:
                self._start_stream(spec)
        if is_first:
            self._remove_stale_links({spec.key for spec in desired.streams})
            volumes = [volume for volume in desired.volumes if not volume.is_buffer]
            self._recovery.start(volumes, list(wanted))
        log.info("desired state %d: %d streams in shard %d", desired.config_version, len(wanted), self.number)

    def _start_stream(self, spec: StreamSpec) -> None:
        task = StreamTask(spec, self._surroundings, self._gate, self._make_source)
        self._streams[spec.key] = task
        covered_ns = self._covered_ns.pop(spec.key, None)
        if covered_ns is not None:
            task.recorder.ended_ns = covered_ns
            task.start(covered_ns, GapCause.UNKNOWN, "The stream started anew with its new settings.")
        elif self._recovery.knows(spec.key):
            task.start(self._started_ns, GapCause.SERVER_DOWN, "Recording was starting.")
        else:
            task.start(self._wall.now_ns(), GapCause.UNKNOWN, "The stream was starting for the first time.")

    def _replace(self, key: str, spec: StreamSpec | None) -> None:
        """End a stream; begin it again with its new settings, if it's still wanted."""
        task = self._streams.pop(key)

        async def change() -> None:
            try:
                await task.stop(EndReason.STOPPED if spec is None else EndReason.SETTINGS)
            except Exception:
                log.exception("%s: the stream didn't end cleanly", key)
            finally:
                self._changing.pop(key, None)
            (self._home.live / key).unlink(missing_ok=True)
            # The state may have changed again meanwhile.
            newest = next(
                (other for other in self._desired.streams if other.key == key and other.shard == self.number),
                None,
            )
            if newest is not None and not self._stopping.is_set():
                is_fresh = task.recorder.ended_ns > self._wall.now_ns() - 5_000_000_000
                self._covered_ns[key] = task.recorder.ended_ns if is_fresh else self._wall.now_ns()
                self._start_stream(newest)
            self._show_soon()

        self._changing[key] = asyncio.create_task(change(), name=f"change {key}")

    def _make_source(self, spec: StreamSpec, sink: Any) -> Any:
        return make_source(spec, self._desired.camera_networks, sink)

    def _remove_stale_links(self, keys: set[str]) -> None:
        for link in self._home.live.iterdir():
            if link.is_symlink() and link.name not in keys:
                link.unlink(missing_ok=True)

    # Volumes.

    def _apply_volumes(self, specs: tuple[VolumeSpec, ...]) -> None:
        wanted = {spec.id: spec for spec in specs}
        for volume_id, volume in list(self._volumes.items()):
            if wanted.get(volume_id) != volume.spec:
                self._retired.append(self._volumes.pop(volume_id))
        for spec in specs:
            if spec.id not in self._volumes:
                committer = Committer(spec, self._journal_writer.append, self._recovery.salvage_failed)
                volume = Volume(spec, asyncio.get_running_loop(), committer)
                volume.start()
                self._volumes[spec.id] = volume

    def _choose_volume(self, spec: StreamSpec) -> Volume:
        wanted = self._volumes.get(spec.volume)
        if wanted is None:
            raise VolumeError(GapCause.DISK_LOST, "The stream's volume doesn't exist on this server.")
        obstacle = wanted.obstacle
        if obstacle is None and not wanted.is_doubtful:
            return wanted
        if not wanted.spec.is_buffer:
            for volume in self._volumes.values():
                if volume.is_good:
                    return volume
        if obstacle is None:
            return wanted
        raise obstacle

    def _watch_volumes(self) -> None:
        """Move streams off volumes that hang or are full before they fail, and close volumes that nobody uses."""
        for volume in self._volumes.values():
            volume.check()
        usable = any(volume.is_good for volume in self._volumes.values())
        in_use = set()
        for task in self._streams.values():
            volume = task.recorder.volume
            if volume is None:
                continue
            in_use.add(volume)
            has_trouble = volume.obstacle is not None or volume.is_doubtful
            if volume in self._retired or (usable and has_trouble):
                task.recorder.cut_soon()
        for volume in [volume for volume in self._retired if volume not in in_use]:
            self._retired.remove(volume)
            volume.flush(is_last=True)
            stopping = asyncio.create_task(asyncio.to_thread(volume.stop, 60.0))
            self._changing[f"volume {volume.spec.id}"] = stopping
            stopping.add_done_callback(partial(self._forget_change, f"volume {volume.spec.id}"))

    def _forget_change(self, key: str, _: asyncio.Task[Any]) -> None:
        self._changing.pop(key, None)

    # Status.

    def _tick(self) -> None:
        if self._wall.refresh():
            log.warning("the wall clock was set; runs are cut")
        self._watch_volumes()
        self._show()

    def _show_soon(self) -> None:
        if self._status_timer is None and not self._stopping.is_set():
            self._status_timer = asyncio.get_running_loop().call_later(STATUS_DELAY_S, self._show)

    def _show(self) -> None:
        """Have the status file written, unless the last one still is."""
        if self._status_timer is not None:
            self._status_timer.cancel()
            self._status_timer = None
        if self._status_future is not None and not self._status_future.done():
            return
        now_s = time.monotonic()
        desired = self._desired
        status = ShardStatus(
            self.number,
            os.getpid(),
            desired.server if desired else "",
            desired.config_version if desired else 0,
            self._started_ns,
            self._wall.now_ns(),
            self._journal_writer.is_failing,
            self._wall.is_trusted,
            self._wall.steps,
            [task.sample(now_s) for task in self._streams.values()],
            [self._volume_status(volume) for volume in self._volumes.values()],
        )
        content = status_content(status)
        loop = asyncio.get_running_loop()
        self._status_future = loop.run_in_executor(self._status_writer, self._write_status, content)

    def _write_status(self, content: dict[str, Any]) -> None:
        try:
            write_status(self._home.status(self.number), content)
        except OSError as err:
            log.error("the status file can't be written: %s", err)

    def _volume_status(self, volume: Volume) -> VolumeStatus:
        obstacle, committer = volume.obstacle, volume.committer
        detail = str(obstacle) if obstacle else "The last sync failed." if committer.is_suspect else ""
        return VolumeStatus(
            volume.spec.id,
            volume.spec.path,
            volume.spec.is_buffer,
            not detail,
            detail,
            committer.free_bytes,
            volume.waiting_bytes,
            round(committer.last_sync_ms, 1),
            committer.synced_ns,
        )

    # The end.

    async def _close(self) -> None:
        """Every segment closed and committed, every run ended; bounded in time also on a hanging disk."""
        for change in list(self._changing.values()):
            change.cancel()
        await asyncio.gather(
            *(
                task.stop(EndReason.STOPPED, is_shutdown=True, timeout_s=STOP_STREAMS_S)
                for task in self._streams.values()
            ),
            return_exceptions=True,
        )
        volumes = [*self._volumes.values(), *self._retired]
        for volume in volumes:
            volume.flush(is_last=True)
        if volumes:
            with ThreadPoolExecutor(len(volumes)) as closers:
                loop = asyncio.get_running_loop()
                done = await asyncio.gather(
                    *(loop.run_in_executor(closers, volume.stop, STOP_VOLUMES_S) for volume in volumes)
                )
            for volume, is_done in zip(volumes, done, strict=True):
                if not is_done:
                    log.error("volume %s: closing took too long; the next start salvages what is left", volume.path)
        for key in self._streams:
            (self._home.live / key).unlink(missing_ok=True)
        for task in self._streams.values():
            task.status.state = "stopped"
        self._show()
        if self._status_future is not None:
            await asyncio.wait({self._status_future}, timeout=0.3)
        self._status_writer.shutdown(wait=False)
        if not await asyncio.to_thread(self._journal_writer.stop, 0.5):
            log.error("the journal could not be written to the end")

"""Repairs what a crash or a failed disk left behind: `.part` files, and files that no journal entry names
yet.

Run by the shard in a thread of its own at start-up (recording goes first), and by the committers for files
that failed. A file held by a living writer (flock) is never touched. A repaired file is cut to its last whole
fragment, gets its index, is synced, renamed, synced again, and only then journaled; doing it twice gives the
same.
"""

from __future__ import annotations

import fcntl
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.archive.layout import parse_day, parse_hour, parse_segment_path, stream_directory
from recorder.capture.segment import segment_row
from recorder.causes import EndReason
from recorder.fmp4 import SegmentIndex, parse_init, read_segment_index

NEWEST_DAYS = 2
"""Day directories searched for each stream, newest first: what a crash leaves lies in the newest."""

log = logging.getLogger("capture.salvage")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A repaired file's entry for the journal, without its run."""

    path: Path
    row: dict[str, Any]


def find_leftovers(volume: Path, camera: str, stream: str, *, before_ms: int, unknown_since_ms: int) -> Iterator[Path]:
    """Open files that began before `before_ms`, and closed ones that began at or after `unknown_since_ms` (the journal
    doesn't know them), oldest first. Cost: some 50 directory listings a stream."""
    found: list[tuple[int, Path]] = []
    root = stream_directory(volume, camera, stream)
    for day in _newest(root, parse_day, NEWEST_DAYS):
        for hour in _newest(day, parse_hour, 24):
            for name in os.listdir(hour):
                # By the name first: of 100,000 files a handful is worth the parsing.
                start_text = name.partition("-")[0]
                is_new = start_text.isdecimal() and int(start_text[:20]) >= unknown_since_ms
                if not is_new and not name.endswith(".part"):
                    continue
                path = hour / name
                parsed = parse_segment_path(path)
                if parsed is not None and parsed[2].start_ms < before_ms:
                    found.append((parsed[2].start_ms, path))
    yield from (path for _, path in sorted(found))


def _newest(directory: Path, parse: Callable[[str], int | None], count: int) -> list[Path]:
    try:
        names = [(value, name) for name in os.listdir(directory) if (value := parse(name)) is not None]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [directory / name for _, name in sorted(names, reverse=True)[:count]]


def salvage_file(volume: Path, volume_id: str, path: Path) -> Salvaged | None:
    """Repair one file; None when there was nothing in it (then it is gone), when it isn't a segment, or when a
    living writer holds it. Raises `OSError`."""
    parsed = parse_segment_path(path)
    if parsed is None:
        return None
    camera, stream, name = parsed
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # what the disk has, not what memory believes
        try:
            index = read_segment_index(fd)
            video, audio = parse_init(index.init)
        except ValueError as err:
            if name.is_open and os.fstat(fd).st_size < 4096:
                path.unlink()  # died before the init segment was whole
            else:
                log.warning("%s is no segment (%s); left as it is", path, err)
            return None
        if not index.video and not index.audio:
            path.unlink()
            return None
        start_ns, end_ns = _presentation_ns(index)
        if not index.is_complete:
            os.ftruncate(fd, index.media_end)
            os.lseek(fd, 0, os.SEEK_END)
            try:
                _write_all(fd, index.trailer())
            except ValueError as err:
                log.warning("%s stays without an index: %s", path, err)
        os.fsync(fd)
        size_bytes = os.fstat(fd).st_size
        if name.is_open:
            final_path = path.with_suffix("")
            if final_path.exists():
                log.warning("%s exists beside its open file; left as it is", final_path)
                return None
            path.rename(final_path)
            path = final_path
        _sync_directory(path.parent)
    finally:
        os.close(fd)
    frames = len(index.video.decode_times) if index.video else 0
    keyframes = len(index.video.keyframes) if index.video else 0
    row = segment_row(camera, stream, name.epoch, "", start_ns, end_ns, size_bytes, frames, keyframes, video, audio)
    row["volume"] = volume_id
    row["path"] = str(path.relative_to(volume))
    return Salvaged(path, row)


def _presentation_ns(index: SegmentIndex) -> tuple[int, int]:
    """First and last instant shown, in ns since the epoch."""
    track = index.video or index.audio
    if track is None:
        raise ValueError("no samples")
    shown = [decode + cts for decode, cts in zip(track.decode_times, track.cts_offsets, strict=True)]
    usual = track.durations[-1]
    scale = track.timescale
    return min(shown) * 10**9 // scale, (max(shown) + usual) * 10**9 // scale


def _write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def journal_salvaged(
    salvaged: Salvaged, open_runs: list[tuple[str, int]], journal: Callable[[str, dict[str, Any]], None]
) -> str:
    """Journal the file under the run that it belongs to; returns that run's ID. Without one (the journal was lost) a
    run of its own is written around it."""
    row = salvaged.row
    candidates = [run for run, started_ns in open_runs if started_ns <= row["start_ns"] + 1_000_000]
    if candidates:
        row["run"] = candidates[-1]
        journal("segment", row)
        return row["run"]
    row["run"] = str(uuid.uuid4())
    journal(
        "run_started",
        {
            "run": row["run"],
            "camera": row["camera"],
            "stream": row["stream"],
            "epoch": row["epoch"],
            "started_ns": row["start_ns"],
            "time_source": "server",
            "error_ms": 100,
        },
    )
    journal("segment", row)
    journal("run_ended", {"run": row["run"], "ended_ns": row["end_ns"], "reason": str(EndReason.CRASHED)})
    return row["run"]

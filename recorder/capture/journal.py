"""The shard's journal: what was recorded and what wasn't, on disk before anybody is told.

Written by one capture shard (from threads, never from its event loop), drained by the recorder's worker.
SQLite in WAL mode with `synchronous=FULL`: an entry that `append` returned for survives a power cut. Sequence
numbers rise and are never used again, also after the entries were acknowledged. Beside the entries it holds
the shard's memory across restarts: open runs, open gaps and the end of each stream's footage, kept in step
with the entries in the same transaction.
"""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUSY_TIMEOUT_S = 5.0
"""How long the shard and the worker wait for one another's transaction; each lasts milliseconds."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (journal_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS open_run (run TEXT PRIMARY KEY, stream_key TEXT NOT NULL, started_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS open_gap (gap TEXT PRIMARY KEY, stream_key TEXT NOT NULL, payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS last_end (stream_key TEXT PRIMARY KEY, covered_ns INTEGER NOT NULL,
    footage_ns INTEGER NOT NULL, is_stopped INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    seq: int
    kind: str
    """`run_started`, `segment`, `run_ended` or `gap`."""
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the shard left behind when it last ran."""

    open_runs: dict[str, list[tuple[str, int]]]
    """Stream key to (run, started_ns), oldest first."""
    open_gaps: dict[str, list[dict[str, Any]]]
    """Stream key to payloads."""
    last_ends: dict[str, LastEnd]


@dataclass(frozen=True, slots=True)
class LastEnd:
    """How far one stream is journaled."""

    covered_ns: int
    """Footage or a gap explains everything up to here."""
    footage_ns: int
    """End of the last journaled segment, 0 for none."""
    is_stopped: bool
    """The stream was taken off on purpose: no gap follows."""


def stream_key(payload: dict[str, Any]) -> str:
    return f"{payload['camera']}.{payload['stream']}"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


class Journal:
    """The writer. One thread at a time may use it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; an unreadable one is put aside as `<name>.corrupt-<time>` and a new one made,
        for recording is worth more than its memory. Raises `OSError`, `sqlite3.OperationalError`."""
        self.path = path
        try:
            self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._connection.close()
            for suffix in ("", "-wal", "-shm"):
                broken = path.with_name(path.name + suffix)
                if broken.exists():
                    broken.rename(path.with_name(f"{path.name}.corrupt-{time.time_ns()}{suffix}"))
            self._open()

    def _open(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.close()
        self._connection = _connect(self.path)
        check = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if check != "ok":
            raise sqlite3.DatabaseError(check)
        self._connection.executescript(_SCHEMA)
        if not self._connection.execute("SELECT 1 FROM identity").fetchone():
            self._connection.execute("INSERT INTO identity VALUES (?)", (str(uuid.uuid4()),))

    @property
    def journal_id(self) -> str:
        """Made with the file: sequence numbers count within it."""
        return self._connection.execute("SELECT journal_id FROM identity").fetchone()[0]

    def append(self, entries: Iterable[tuple[str, dict[str, Any]]]) -> int:
        """Write the (kind, payload) pairs in one transaction; returns the last sequence number. On return they are
        on disk. Raises `sqlite3.Error`, and then none of them is."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            cursor = connection.cursor()
            for kind, payload in entries:
                cursor.execute("INSERT INTO entry (kind, payload) VALUES (?, ?)", (kind, json.dumps(payload)))
                self._remember(kind, payload)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return cursor.lastrowid or 0

    def _remember(self, kind: str, payload: dict[str, Any]) -> None:
        execute = self._connection.execute
        if kind == "run_started":
            execute(
                "INSERT OR REPLACE INTO open_run VALUES (?, ?, ?)",
                (payload["run"], stream_key(payload), payload["started_ns"]),
            )
            execute("UPDATE last_end SET is_stopped = 0 WHERE stream_key = ?", (stream_key(payload),))
        elif kind == "segment":
            self._remember_end(stream_key(payload), payload["end_ns"], payload["end_ns"])
        elif kind == "run_ended":
            if payload["reason"] == "stopped" and not payload.get("is_shutdown"):
                execute(
                    "UPDATE last_end SET is_stopped = 1 WHERE stream_key ="
                    " (SELECT stream_key FROM open_run WHERE run = ?)",
                    (payload["run"],),
                )
            execute("DELETE FROM open_run WHERE run = ?", (payload["run"],))
        elif kind == "gap":
            if payload["end_ns"] is None:
                execute(
                    "INSERT OR REPLACE INTO open_gap VALUES (?, ?, ?)",
                    (payload["gap"], stream_key(payload), json.dumps(payload)),
                )
            else:
                execute("DELETE FROM open_gap WHERE gap = ?", (payload["gap"],))
                self._remember_end(stream_key(payload), payload["end_ns"], 0)

    def _remember_end(self, key: str, covered_ns: int, footage_ns: int) -> None:
        self._connection.execute(
            "INSERT INTO last_end VALUES (?, ?, ?, 0) ON CONFLICT (stream_key) DO UPDATE"
            " SET covered_ns = max(covered_ns, excluded.covered_ns), footage_ns = max(footage_ns, excluded.footage_ns)",
            (key, covered_ns, footage_ns),
        )

    def memory(self) -> Memory:
        """Open runs, open gaps and ends, as the entries so far leave them."""
        runs: dict[str, list[tuple[str, int]]] = {}
        for run, key, started_ns in self._connection.execute("SELECT * FROM open_run ORDER BY started_ns"):
            runs.setdefault(key, []).append((run, started_ns))
        gaps: dict[str, list[dict[str, Any]]] = {}
        for key, payload in self._connection.execute("SELECT stream_key, payload FROM open_gap"):
            gaps.setdefault(key, []).append(json.loads(payload))
        ends = {
            key: LastEnd(covered_ns, footage_ns, bool(is_stopped))
            for key, covered_ns, footage_ns, is_stopped in self._connection.execute("SELECT * FROM last_end")
        }
        return Memory(runs, gaps, ends)

    def close(self) -> None:
        self._connection.close()


class JournalReader:
    """The worker's side: read in order, write to the database, then acknowledge."""

    def __init__(self, path: Path) -> None:
        """Raises `FileNotFoundError` where the shard made no journal yet."""
        if not path.exists():
            raise FileNotFoundError(path)
        self._connection = _connect(path)

    @property
    def journal_id(self) -> str:
        """Raises `sqlite3.DatabaseError` while the shard is still making the file."""
        row = self._connection.execute("SELECT journal_id FROM identity").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("the journal is being made")
        return row[0]

    def read(self, after_seq: int, limit: int) -> list[Entry]:
        """Up to `limit` entries with a greater number, in order."""
        rows = self._connection.execute(
            "SELECT seq, kind, payload FROM entry WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit)
        )
        return [Entry(seq, kind, json.loads(payload)) for seq, kind, payload in rows]

    def acknowledge(self, seq: int) -> None:
        """Delete the entries up to and including `seq`: they are in the database."""
        self._connection.execute("DELETE FROM entry WHERE seq <= ?", (seq,))

    def close(self) -> None:
        self._connection.close()

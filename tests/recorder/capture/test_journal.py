"""What the journal returned for is there after a crash, in order, once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.capture.journal import Journal, JournalReader
from recorder.capture.journal_writer import JournalWriter

CAMERA = "11111111-1111-1111-1111-111111111111"
PLACE = {"camera": CAMERA, "stream": "main", "epoch": 1}


def run_started(run: str, at: int = 1) -> tuple[str, dict]:
    return "run_started", {"run": run, **PLACE, "started_ns": at, "time_source": "server", "error_ms": 100}


def segment(run: str, start: int, end: int) -> tuple[str, dict]:
    return "segment", {"run": run, **PLACE, "start_ns": start, "end_ns": end}


def gap(name: str, start: int, end: int | None) -> tuple[str, dict]:
    return "gap", {"gap": name, **PLACE, "start_ns": start, "end_ns": end, "cause": "stalled", "detail": ""}


def test_numbers_rise_and_are_never_used_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.append([run_started("a"), segment("a", 1, 2)])
    reader = JournalReader(tmp_path / "j.sqlite")
    entries = reader.read(0, 10)
    assert [(entry.seq, entry.kind) for entry in entries] == [(1, "run_started"), (2, "segment")]
    reader.acknowledge(2)
    assert reader.read(0, 10) == []
    assert journal.append([segment("a", 2, 3)]) == 3
    assert reader.journal_id == journal.journal_id
    reader.close()
    journal.close()


def test_a_killed_writer_loses_nothing_it_was_told_was_written(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from recorder.capture.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "for number in range(10**9):\n"
        f"    journal.append([('segment', {{'camera': '{CAMERA}', 'stream': 'main', 'end_ns': number}})] * 3)\n"
        "    print(number, flush=True)\n"
    )
    path = tmp_path / "j.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(writer.stdout.readline()) for _ in range(50)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, writer.stdout.read().splitlines())])
    writer.wait()
    writer.stdout.close()
    reader = JournalReader(path)
    ends = [entry.payload["end_ns"] for entry in reader.read(0, 10**9)]
    reader.close()
    assert len(ends) % 3 == 0  # whole transactions
    assert ends == sorted(ends)
    assert ends[-1] >= acknowledged


def test_it_remembers_open_runs_gaps_and_ends(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    key = f"{CAMERA}.main"
    journal.append([gap("g", 1, None), run_started("a", 5), gap("g", 1, 5), segment("a", 5, 9), gap("h", 9, None)])
    memory = journal.memory()
    assert memory.open_runs == {key: [("a", 5)]}
    assert [payload["gap"] for payload in memory.open_gaps[key]] == ["h"]
    assert (memory.last_ends[key].footage_ns, memory.last_ends[key].is_stopped) == (9, False)
    journal.append([("run_ended", {"run": "a", "ended_ns": 9, "reason": "stopped"}), gap("h", 9, 12)])
    memory = journal.memory()
    assert (memory.open_runs, memory.open_gaps) == ({}, {})
    assert (memory.last_ends[key].covered_ns, memory.last_ends[key].is_stopped) == (12, True)
    journal.close()


def test_a_shutdown_is_not_a_stream_taken_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.append(
        [
            run_started("a", 5),
            segment("a", 5, 9),
            ("run_ended", {"run": "a", "ended_ns": 9, "reason": "stopped", "is_shutdown": True}),
        ]
    )
    assert not journal.memory().last_ends[f"{CAMERA}.main"].is_stopped
    journal.close()


def test_an_unreadable_journal_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"no database" * 1000)
    journal = Journal(path)
    assert journal.append([run_started("a")]) == 1
    journal.close()
    assert list(tmp_path.glob("j.sqlite.corrupt-*"))


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    with pytest.raises(KeyError):
        journal.append([run_started("a"), ("segment", {"camera": CAMERA})])
    assert journal.memory().open_runs == {}
    journal.close()


def test_entries_wait_while_another_process_holds_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    writer = JournalWriter(Journal(path))
    writer.start()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    for number in range(10):
        writer.append(*segment("a", number, number + 1))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert writer.stop(8)
    reader = JournalReader(path)
    assert [entry.payload["start_ns"] for entry in reader.read(0, 99)] == list(range(10))
    reader.close()

"""F29, F34, F49, F51: the whole product with everything but capture killed at random. No frame may be lost, and
afterwards the
database says what lies on the disk, each thing once."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.verdict import read_ledger
from tests.postgres import find_binaries
from tests.product import Product, running_product, wait_for
from tests.recorder.simcam.fixtures import SimcamProcess
from tests.rig.conftest import SIZES
from tests.rig.verdicts import Gap, judge_stream, segment_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

CAMERAS = 16
STORM_S = 60.0
SETTLED_WITHIN_S = 60


class PostgresProcess:
    """A cluster that can be killed and started again on its data."""

    def __init__(self, binaries: Path) -> None:
        import pwd

        self._binaries = binaries
        self.directory = Path(tempfile.mkdtemp(prefix="heron-rig-pg-"))
        self._drop: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self._drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        subprocess.run(
            [binaries / "initdb", "-D", self.directory / "cluster", "-A", "trust", "-U", "heron", "--no-sync", "-E",
            "UTF8",
             "--locale=C"],
            check=True, stdout=subprocess.DEVNULL, cwd=self.directory, **self._drop,
        )  # fmt: skip
        self.start()

    @property
    def url(self) -> str:
        return f"postgres://heron@/postgres?host={self.directory}"

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.directory / "cluster", "-k", self.directory,
                 "-c", "listen_addresses="],
                stdout=subprocess.DEVNULL, stderr=log, cwd=self.directory, start_new_session=True, **self._drop,
            )  # fmt: skip
        ask = [self._binaries / "pg_isready", "-q", "-h", self.directory]
        wait_for(lambda: not subprocess.run(ask, check=False).returncode, 30, "PostgreSQL answers")

    def kill(self) -> None:
        """All of it at once, as a machine that fails."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        (self.directory / "cluster" / "postmaster.pid").unlink(missing_ok=True)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)


def children(product: Product) -> dict[str, int]:
    """The services of this installation by name: children of its parent process, told apart by their command lines."""
    signs = {"redis": "redis-server", "web": "vms.asgi", "media": "recorder.media", "recorder": "recorder@"}
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError, IndexError):
            continue
        if parent == product.process.pid:
            found |= {name: int(entry.name) for name, sign in signs.items() if sign in command}
    return found


def shards(home: Path) -> dict[int, int]:
    """Process ID of each capture shard."""
    found = {}
    for path in (home / "run").glob("capture-*.lock"):
        text = path.read_text().strip()
        if text.isdigit() and Path(f"/proc/{text}").exists():
            found[int(path.stem.split("-")[1])] = int(text)
    return found


def add_cameras(product: Product, cameras: SimcamProcess, count: int) -> list[str]:
    made = []
    for number in range(1, count + 1):
        body = {"name": f"Camera {number}", "main_url": cameras.url(number), "sub_url": ""}
        made.append(product.request("POST", "/api/v1/cameras/", body)["id"])
    return made


def are_recording(product: Product, wanted: list[str]) -> bool:
    states = {camera["id"]: camera["state"] for camera in product.cameras()}
    return all(states.get(camera) == "recording" for camera in wanted)


@contextmanager
def installation(directory: Path, count: int, *, postgres: PostgresProcess | None = None) -> Iterator[tuple]:
    """Product, cameras and their IDs; all of them record."""
    settings = {"VMS_DEMO": "0"}
    if postgres is not None:
        settings["VMS_DATABASE_URL"] = postgres.url
    with ExitStack() as stack:
        cameras = SimcamProcess(directory, count, *SIZES)
        stack.callback(cameras.stop)
        product = stack.enter_context(running_product(directory / "home", **settings))
        stack.callback(_end_capture, directory / "home")
        ids = add_cameras(product, cameras, count)
        wait_for(lambda: are_recording(product, ids), 60, "all cameras record")
        yield product, cameras, ids


def _end_capture(home: Path) -> None:
    """Capture outlives its parents, by design; not the test."""
    for pid in shards(home).values():
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


def iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timeline(product: Product, camera: str, start_s: float, end_s: float) -> dict[str, Any]:
    return product.get(f"/api/v1/cameras/{camera}/timeline/?from={iso(start_s)}&to={iso(end_s)}&stream=main")


def spans(rows: list[dict[str, str]]) -> list[tuple[float, float]]:
    return [tuple(datetime.fromisoformat(row[end]).timestamp() for end in ("start", "end")) for row in rows]


def judge_installation(product: Product, cameras: SimcamProcess, ids: list[str], start_s: float, end_s: float) -> list:
    """Stops everything; the verdict of each camera, with the gaps that the API tells."""
    told = {}
    for camera in ids:
        answer = timeline(product, camera, start_s, end_s)
        gaps = [Gap(*span, row["cause"]) for span, row in zip(spans(answer["gaps"]), answer["gaps"], strict=True)]
        told[camera] = spans(answer["recordings"]), gaps
    assert product.stop() in (0, -signal.SIGTERM, -signal.SIGKILL)
    _end_capture(product.home)
    wait_for(lambda: not shards(product.home), 10, "capture has ended")
    cameras.stop()
    verdicts = []
    for number, camera in enumerate(ids, 1):
        recordings, gaps = told[camera]
        covered = sorted([*recordings, *((gap.start_s, gap.end_s) for gap in gaps)])
        for (_, first_end), (next_start, _) in itertools.pairwise(covered):
            assert abs(next_start - first_end) < 0.002, f"the timeline of {camera} isn't whole: {covered}"
        sent, _ = read_ledger(cameras.ledger, f"{number}/main")
        files = segment_files([product.home / "volumes" / "main"], camera, "main", with_open=True)
        verdicts.append(judge_stream(files, gaps, sent))
    return verdicts


def test_f49_f51_everything_but_capture_killed_at_random_loses_no_frame(rng: random.Random) -> None:
    """16 cameras for a minute, while database, Redis, web, media and the recorder's worker are killed again and
    again."""
    binaries = find_binaries()
    if binaries is None or not (binaries / "postgres").exists():
        pytest.skip("PostgreSQL is not installed here")
    directory = Path(tempfile.mkdtemp(prefix="heron-rig-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        postgres = PostgresProcess(binaries)
        stack.callback(postgres.close)
        product, cameras, ids = stack.enter_context(installation(directory, CAMERAS, postgres=postgres))
        before = shards(product.home)
        started_s, killed = time.time(), {}
        until_s = time.monotonic() + STORM_S
        while time.monotonic() < until_s:
            victim = rng.choice(["postgres", "redis", "web", "media", "recorder"])
            pid = children(product).get(victim)
            if victim == "postgres":
                postgres.kill()
            elif pid is not None:
                os.kill(pid, signal.SIGKILL)
            killed[victim] = killed.get(victim, 0) + 1
            rest_s = time.monotonic() + rng.uniform(0.5, 4)
            wait_for(lambda due=rest_s: time.monotonic() >= due, 10, "the next victim")
            if victim == "postgres":
                postgres.start()
        assert len(killed) == 5, killed
        assert shards(product.home) == before, "capture was restarted"
        ended_s = time.time()
        wait_for(lambda: _answers(product), SETTLED_WITHIN_S, "the product answers again")
        wait_for(lambda: _is_drained(product), SETTLED_WITHIN_S, "the journals are drained")
        settled_s = time.time() - ended_s
        wait_for(lambda: _answers(product) and are_recording(product, ids), SETTLED_WITHIN_S, "the rows say so too")
        assert product.command("check_archive", "--json") == "", "files and rows differ"
        verdicts = judge_installation(product, cameras, ids, started_s, ended_s)
        assert sum(verdict.lost for verdict in verdicts) == 0, [verdict.frames.lost[:10] for verdict in verdicts]
        for verdict in verdicts:
            assert not verdict.complaints(), verdict.complaints()
            assert not verdict.gaps, verdict.gaps
        assert settled_s < SETTLED_WITHIN_S


def test_f34_killed_parent_leaves_capture_alone_and_the_next_start_adopts_it() -> None:
    """With the parent all services die; capture goes on, is adopted, and nothing is doubled. A foreign file is
    reported and left alone (F29)."""
    directory = Path(tempfile.mkdtemp(prefix="heron-rig-"))
    try:
        with installation(directory, 2) as (product, cameras, ids):
            started_s = time.time()
            before, services = shards(product.home), children(product)
            product.process.kill()
            product.process.wait()
            wait_for(
                lambda: not any(Path(f"/proc/{pid}").exists() for pid in services.values()), 5, "all services ended"
            )
            assert shards(product.home) == before
            frames = cameras.frames()
            wait_for(lambda: cameras.frames() > frames + 60, 10, "recording goes on alone")
            with running_product(directory / "home", VMS_DEMO="0") as again:
                wait_for(lambda: are_recording(again, ids), 30, "all cameras record")
                assert shards(again.home) == before, "capture was restarted"
                wait_for(lambda: _is_drained(again), 20, "the journals are drained")
                volume = again.home / "volumes" / "main"
                foreign = volume / "holiday.jpg"
                foreign.write_text("not ours")
                findings = _check(again)
                assert [(row["difference"], row["path"]) for row in findings] == [("foreign_file", "holiday.jpg")], (
                    findings
                )
                assert foreign.read_text() == "not ours"
                foreign.unlink()
                verdicts = judge_installation(again, cameras, ids, started_s, time.time() - 1)
        for verdict in verdicts:
            assert not verdict.lost
            assert not verdict.complaints(), verdict.complaints()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _check(product: Product) -> list[dict[str, Any]]:
    import json
    import sys

    from tests.product import ROOT

    done = subprocess.run([sys.executable, "manage.py", "check_archive", "--json"], cwd=ROOT, env=product.environment,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _answers(product: Product) -> bool:
    try:
        product.cameras()
    except (OSError, ValueError):
        return False
    return True


def _is_drained(product: Product) -> bool:
    import sqlite3

    left = 0
    for path in (product.home / "recorder").glob("journal-*.sqlite"):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            left += connection.execute("SELECT count(*) FROM entry").fetchone()[0]
        finally:
            connection.close()
    return left == 0

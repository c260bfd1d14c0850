"""How fast the timeline of 64 cameras over 30 days is, from a database with millions of segment rows.

Run by `make bench` or `python bench/timeline.py [--full]`; prints one JSON object a line. SQLite in a temporary home,
PostgreSQL in a server of its own (tests/postgres.py); rows are made by bulk SQL: 64 cameras with two streams each,
segments of a minute (3 million by default, 30 million with --full, by a longer history), five runs a day, a gap
between each two and three short holes a day. Measured is the whole answer of `GET /api/v1/timeline/` (rights, queries,
merging, JSON), through Django's test client in this process; the median of seven.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

CAMERAS, STREAMS, DAYS_SHOWN = 64, 2, 30
RUNS_A_DAY, HOLES_A_DAY = 5, 3
SEGMENTS_A_DAY = 1440
GOALS_MS = {"sqlite": 500, "postgresql": 200}
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="30 million segment rows instead of 3 million.")
    parser.add_argument("--segments", type=int, default=3_000_000)
    parser.add_argument("--history-days", type=int, default=0, help="Of runs and gaps; at least as many as segments.")
    parser.add_argument("--only", choices=list(GOALS_MS))
    parser.add_argument("--explain", action="store_true", help="Print the plans of the slow queries.")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        measure(30_000_000 if options.full else options.segments, options.history_days, explain=options.explain)
        return
    command = [sys.executable, __file__, "--inside", *sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="heron-timeline-") as home:
        environment = {**os.environ, "VMS_HOME": home}
        environment.pop("VMS_DATABASE_URL", None)
        if options.only != "postgresql":
            subprocess.run(command, check=True, env=environment)
        if options.only != "sqlite":
            subprocess.run([sys.executable, "-m", "tests.postgres", *command], check=True, env=environment)


def measure(segments: int, history_days: int, *, explain: bool) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vms.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    began = time.monotonic()
    user, cameras = make_rows(segments, history_days)
    fill_s = time.monotonic() - began
    from django.test.utils import CaptureQueriesContext
    from rest_framework.test import APIClient

    client = APIClient()
    client.force_authenticate(user)
    first = (NOW - timedelta(days=DAYS_SHOWN)).isoformat()
    query = {"cameras": ",".join(cameras), "from": first, "to": NOW.isoformat()}
    for name, extra in (("timeline", {}), ("timeline_30_min", {"resolution_ms": 1_800_000})):
        times, size = [], 0
        for number in range(8):
            start = time.perf_counter()
            answer = client.get("/api/v1/timeline/", {**query, **extra})
            times.append((time.perf_counter() - start) * 1000)
            assert answer.status_code == 200, answer.content[:300]
            size = len(answer.content)
            if number == 0:
                times.clear()  # the first one loads modules
        tell(name, times, segments, fill_s, connection.vendor, bytes=size)
    with CaptureQueriesContext(connection) as queries:
        client.get("/api/v1/timeline/", query)
    captured = list(queries.captured_queries)  # the next request empties the log
    sql_ms = [float(one["time"]) * 1000 for one in captured]
    tell("timeline_sql", [sum(sql_ms)], segments, fill_s, connection.vendor, queries=len(sql_ms))
    one = {"days": 90, "tz": "Europe/Berlin"}
    times = []
    for _ in range(4):
        start = time.perf_counter()
        assert client.get(f"/api/v1/cameras/{cameras[0]}/coverage/", one).status_code == 200
        times.append((time.perf_counter() - start) * 1000)
    tell("coverage_90_days", times[1:], segments, fill_s, connection.vendor)
    if explain:
        prefix = "EXPLAIN ANALYZE " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        for statement in (one["sql"] for one in captured):
            if "recorder_" in statement:
                with connection.cursor() as cursor:
                    cursor.execute(prefix + statement)
                    print("\n".join(str(row) for row in cursor.fetchall()), file=sys.stderr)
    from recorder.retention.usage import count_usage
    from vms.servers.models import Server

    start = time.perf_counter()
    count_usage(Server.objects.get().pk, NOW)
    tell("count_usage", [(time.perf_counter() - start) * 1000], segments, fill_s, connection.vendor)


def tell(name: str, times: list[float], segments: int, fill_s: float, vendor: str, **more: object) -> None:
    is_goal = name == "timeline"
    goal = {"goal": GOALS_MS[vendor]} if is_goal else {}
    row = {"bench": f"{name}_{vendor}", "ours": round(statistics.median(times), 1), "peer": None, "ratio": None,
           "unit": "ms", "n": len(times), **goal, "segments": segments, "fill_s": round(fill_s, 1), **more}  # fmt: skip
    print(json.dumps(row), flush=True)


def make_rows(segments: int, history_days: int = 0):
    """A site with its cameras, and their rows by one statement a kind."""
    from django.db import connection

    from vms.accounts.models import User
    from vms.accounts.rights import Role
    from vms.cameras.models import Camera, Stream, StreamStatus
    from vms.servers.local import ensure_local_server
    from vms.servers.models import Server, Volume

    server = ensure_local_server()
    Server.objects.update(last_seen_at=datetime.now(UTC))
    volume = Volume.objects.create(server=server, path="/srv/footage")
    user = User.objects.create_user(username="bench", password="-", role=Role.OWNER)
    days = max(DAYS_SHOWN, history_days, segments // (CAMERAS * STREAMS * SEGMENTS_A_DAY) + 1)
    begin = NOW - timedelta(days=days)
    cameras = [Camera(site_id=server.site_id, server=server, name=f"Camera {number}") for number in range(CAMERAS)]
    Camera.objects.bulk_create(cameras)
    Camera.objects.update(created_at=begin)
    streams = [
        Stream(camera=camera, kind=kind, url="rtsp://10.0.0.1/") for camera in cameras for kind in ("main", "sub")
    ]
    Stream.objects.bulk_create(streams)
    Stream.objects.update(created_at=begin)
    StreamStatus.objects.bulk_create(
        StreamStatus(stream=stream, state="recording", last_frame_at=datetime.now(UTC)) for stream in streams
    )
    is_pg = connection.vendor == "postgresql"
    per_stream = segments // (CAMERAS * STREAMS)
    values = {"begin": begin.timestamp(), "server": server.pk if is_pg else server.pk.hex,
              "volume": volume.pk if is_pg else volume.pk.hex}  # fmt: skip
    run_s, gap_s = 86_400 // RUNS_A_DAY, 40
    with connection.cursor() as cursor:
        for statement in _statements(is_pg, days, per_stream, run_s, gap_s):
            cursor.execute(statement, values)
        if is_pg:
            cursor.execute("ANALYZE")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("ANALYZE")
    return user, [str(camera.pk) for camera in cameras]


def _statements(is_pg: bool, days: int, per_stream: int, run_s: int, gap_s: int) -> list[str]:
    """Runs last `run_s` less `gap_s`; then a gap. Segments hang on the first run of their stream."""
    runs, holes = days * RUNS_A_DAY, days * HOLES_A_DAY
    if is_pg:
        series = "generate_series(0, {}) AS n(i)".format
        at = "to_timestamp(%(begin)s + {})".format
        random_id = "gen_random_uuid()"
    else:
        series = (
            "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i FROM n) AS n".format
        )
        at = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %(begin)s + {}, 'unixepoch')".format
        random_id = "lower(hex(randomblob(16)))"
    streams = "cameras_stream s"
    empty = "NULL" if not is_pg else "NULL::bytea"
    return [
        f"""INSERT INTO recorder_recording
            (id, stream_id, server_id, epoch, started_at, ended_at, end_reason, time_source, time_error_ms)
            SELECT {random_id}, s.id, %(server)s, 1, {at(f"n.i * {run_s}")},
            {at(f"n.i * {run_s} + {run_s - gap_s}")}, 'lost', 'server', 100 FROM {streams}, {series(runs - 1)}""",
        f"""INSERT INTO recorder_gap (id, stream_id, server_id, epoch, started_at, ended_at, cause, detail)
            SELECT {random_id}, s.id, %(server)s, 1, {at(f"n.i * {run_s} + {run_s - gap_s}")},
            {at(f"(n.i + 1) * {run_s}")},
            'unreachable', 'The camera does not answer.' FROM {streams}, {series(runs - 1)}""",
        f"""INSERT INTO recorder_gap (id, stream_id, server_id, epoch, started_at, ended_at, cause, detail)
            SELECT {random_id}, s.id, %(server)s, 1, {at(f"n.i * {86_400 // HOLES_A_DAY} + 777")},
            {at(f"n.i * {86_400 // HOLES_A_DAY} + 779")}, 'bad_stream', '12 packets were lost on the way.'
            FROM {streams}, {series(holes - 1)}""",
        f"""INSERT INTO recorder_segment (stream_id, recording_id, volume_id, epoch, started_at, ended_at, size_bytes,
            frame_count, keyframe_count, video_codec, audio_codec, width_px, height_px, sha256)
            SELECT s.id, (SELECT r.id FROM recorder_recording r WHERE r.stream_id = s.id ORDER BY r.started_at LIMIT 1),
            %(volume)s, 1, {at("n.i * 60")}, {at("n.i * 60 + 60")}, 12000000, 900, 30, 'h264', '', 1920, 1080, {empty}
            FROM {streams}, {series(per_stream - 1)}""",
    ]


if __name__ == "__main__":
    main()

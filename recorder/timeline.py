"""The timeline of one stream: which parts of a span are recorded, and why the others are not.

`merge_timeline` is pure: rows in, a timeline out that covers the span exactly, without overlap, in order.
`read_timeline` fetches the rows: three queries, however long the span. Used by the API and the console; web process.
All instants are Unix milliseconds, spans half-open.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from recorder.causes import GapCause
from recorder.models import Gap, Recording, Segment
from vms.api.times import Span, from_ms, to_ms
from vms.cameras.choices import RecordingMode
from vms.cameras.models import Camera, Stream

JOIN_MS = 200
"""Runs closer than this are one on the timeline: a hole of a few frames is no gap (gaps over 200 ms are told)."""
FRESH_MS = 10_000
"""An open run whose newest frame is younger than this is taken to reach to now: reports come with a delay."""
MAX_ROWS = 50_000
"""Runs or gaps read for one answer; about 10 MB of JSON."""

NOT_YET = "Before the camera was added."


class SpanTooDenseError(Exception):
    """The span holds more than `MAX_ROWS` runs or gaps: ask for a shorter one."""


@dataclass(frozen=True, slots=True)
class Run:
    """Footage `[start_ms, end_ms)`."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Time without footage; `end_ms` None while it lasts. Where holes overlap, the higher `rank`, then the later
    start explains the time."""

    start_ms: int
    end_ms: int | None
    cause: str
    detail: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    recordings: list[Run]
    gaps: list[Hole]


def merge_timeline(
    recordings: Iterable[Run], gaps: Iterable[Hole], span: Span, now_ms: int, *, join_ms: int = JOIN_MS
) -> Timeline:
    """Cover `span`, as far as it isn't in the future. Footage beats every gap; what no row explains is `unknown`.
    Runs less than `join_ms` apart become one. O(n log n)."""
    end_ms = min(span.end_ms, now_ms)
    if end_ms <= span.start_ms:
        return Timeline([], [])
    runs = _join(recordings, span.start_ms, end_ms, join_ms)
    holes: list[Hole] = []
    reasons = _Reasons(gaps, span.start_ms, end_ms)
    for start_ms, stop_ms in _between(runs, span.start_ms, end_ms):
        for hole in reasons.over(start_ms, stop_ms):
            last = holes[-1] if holes else None
            if last and last.end_ms == hole.start_ms and (last.cause, last.detail) == (hole.cause, hole.detail):
                holes[-1] = Hole(last.start_ms, hole.end_ms, last.cause, last.detail)
            else:
                holes.append(hole)
    return Timeline(runs, holes)


def _join(recordings: Iterable[Run], start_ms: int, end_ms: int, join_ms: int) -> list[Run]:
    """The union of the runs inside the span, small holes closed."""
    cut = sorted(
        (max(run.start_ms, start_ms), min(run.end_ms, end_ms))
        for run in recordings
        if run.end_ms > start_ms and run.start_ms < end_ms and run.end_ms > run.start_ms
    )
    joined: list[list[int]] = []
    for first, last in cut:
        if joined and first - joined[-1][1] < join_ms:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return [Run(first, last) for first, last in joined]


def _between(runs: Sequence[Run], start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    at_ms = start_ms
    for run in runs:
        if run.start_ms > at_ms:
            yield at_ms, run.start_ms
        at_ms = run.end_ms
    if at_ms < end_ms:
        yield at_ms, end_ms


class _Reasons:
    """Walks the holes once, from left to right, and says for any later piece which hole explains it."""

    def __init__(self, gaps: Iterable[Hole], start_ms: int, end_ms: int) -> None:
        self._waiting = sorted(
            (
                (hole.start_ms, end_ms if hole.end_ms is None else hole.end_ms, hole)
                for hole in gaps
                if hole.start_ms < end_ms and (hole.end_ms is None or hole.end_ms > start_ms)
            ),
            key=lambda item: item[0],
            reverse=True,
        )
        self._open: list[tuple[int, int, int, int, Hole]] = []
        self._count = 0

    def over(self, start_ms: int, stop_ms: int) -> Iterator[Hole]:
        """Pieces that cover `[start_ms, stop_ms)`; call with rising spans only."""
        at_ms = start_ms
        while at_ms < stop_ms:
            while self._waiting and self._waiting[-1][0] <= at_ms:
                first, last, hole = self._waiting.pop()
                self._count += 1
                heapq.heappush(self._open, (-hole.rank, -first, -self._count, last, hole))
            while self._open and self._open[0][3] <= at_ms:
                heapq.heappop(self._open)
            until_ms = min(stop_ms, self._waiting[-1][0]) if self._waiting else stop_ms
            if self._open:
                *_, last, hole = self._open[0]
                until_ms = min(until_ms, last)
                yield Hole(at_ms, until_ms, hole.cause, hole.detail)
            else:
                yield Hole(at_ms, until_ms, GapCause.UNKNOWN.value)
            at_ms = until_ms


def read_timeline(camera: Camera, stream: Stream, span: Span, now: datetime, *, join_ms: int = JOIN_MS) -> Timeline:
    """The timeline of `stream`. Raises `SpanTooDenseError`. Three queries, a fourth while a run of a crashed recorder
    is still open."""
    start_at, end_at = from_ms(span.start_ms), from_ms(span.end_ms)
    now_ms = to_ms(now)
    run_rows = list(
        Recording.objects.filter(stream=stream)
        .overlapping(start_at, end_at)
        .order_by("started_at")
        .values_list("id", "started_at", "ended_at", "epoch")[: MAX_ROWS + 1]
    )
    gap_rows = list(
        Gap.objects.filter(stream=stream)
        .overlapping(start_at, end_at)
        .values_list("started_at", "ended_at", "cause", "detail", "epoch")[: MAX_ROWS + 1]
    )
    if max(len(run_rows), len(gap_rows)) > MAX_ROWS:
        raise SpanTooDenseError
    live_edge_ms = _live_edge_ms(stream, now_ms)
    runs = list(_closed_runs(run_rows, stream, live_edge_ms))
    holes = [
        Hole(to_ms(start), None if end is None else to_ms(end), cause, detail, rank=epoch + 1)
        for start, end, cause, detail, epoch in gap_rows
    ]
    holes.extend(_computed_holes(camera, runs, holes, now))
    return merge_timeline(runs, holes, span, now_ms, join_ms=join_ms)


def _live_edge_ms(stream: Stream, now_ms: int) -> int | None:
    """How far the stream's open run reaches, None when nothing is known."""
    status = getattr(stream, "status", None)
    if status is None or status.last_frame_at is None:
        return None
    last_ms = to_ms(status.last_frame_at)
    return now_ms if now_ms - last_ms < FRESH_MS else last_ms


def _closed_runs(rows: Sequence[tuple], stream: Stream, live_edge_ms: int | None) -> Iterator[Run]:
    """Runs with an end each. Only the newest open run can be alive; another one was left open by a crash and reaches
    to the end of its newest segment."""
    open_ids = [row[0] for row in rows if row[2] is None]
    newest = None
    if open_ids:
        newest = Recording.objects.filter(stream=stream).order_by("-started_at").values_list("id", flat=True).first()
    left_open = [pk for pk in open_ids if pk != newest or live_edge_ms is None]
    ends: dict = {}
    if left_open:
        ends = dict(
            Segment.objects.filter(recording_id__in=left_open)
            .order_by()
            .values_list("recording_id")
            .annotate(Max("ended_at"))
        )
    for pk, started_at, ended_at, _ in rows:
        start_ms = to_ms(started_at)
        if ended_at is not None:
            yield Run(start_ms, to_ms(ended_at))
        elif pk == newest and live_edge_ms is not None:
            yield Run(start_ms, live_edge_ms)
        elif pk in ends:
            yield Run(start_ms, to_ms(ends[pk]))


def _computed_holes(camera: Camera, runs: Sequence[Run], holes: Sequence[Hole], now: datetime) -> Iterator[Hole]:
    """What no row says but the settings do; every row ranks above these."""
    yield Hole(0, to_ms(camera.created_at), GapCause.UNKNOWN.value, NOT_YET, rank=-1)
    known = [run.end_ms for run in runs] + [hole.end_ms for hole in holes if hole.end_ms is not None]
    tail_ms = max([to_ms(camera.created_at), *known])
    if camera.deleted_at or not camera.is_enabled:
        yield Hole(tail_ms, None, GapCause.DISABLED.value, "The camera is switched off.", rank=-1)
    elif camera.recording_mode == RecordingMode.OFF:
        yield Hole(tail_ms, None, GapCause.SCHEDULE.value, "The camera is shown live only.", rank=-1)
    else:
        seen_at = camera.server.last_seen_at
        if seen_at is None or now - seen_at > timedelta(milliseconds=FRESH_MS):
            start_ms = tail_ms if seen_at is None else max(tail_ms, to_ms(seen_at))
            detail = f"The recorder of {camera.server.name} doesn't report."
            yield Hole(start_ms, None, GapCause.SERVER_DOWN.value, detail, rank=-1)

"""The timeline of one stream: which parts of a span are recorded, and why the others are not.

`merge_timeline` is pure: rows in, a timeline out that covers the span exactly, without overlap, in order.
`read_timelines` fetches the rows: two queries, however long the span and however many the streams. Used by the API and
the console; web process.
All instants are Unix milliseconds, spans half-open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Max

from recorder.causes import GapCause
from recorder.coverage.claims import Winners
from recorder.coverage.ledger import between, without_holes
from recorder.instants import UnixMs
from recorder.models import Gap, Recording, Segment
from recorder.models.catalogue import SpanQuerySet
from vms.api.times import Span, from_ms, to_ms
from vms.cameras.choices import RecordingMode, StreamKind
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


class Run(NamedTuple):
    """Footage `[start_ms, end_ms)`."""

    start_ms: int
    end_ms: int


class Hole(NamedTuple):
    """Time without footage; `end_ms` None while it lasts. Where holes overlap, the higher `rank`, then the later
    start explains the time."""

    start_ms: int
    end_ms: int | None
    cause: str
    detail: str = ""
    rank: int = 0


class Unrecorded(NamedTuple):
    """`[start_ms, end_ms)` of a timeline without footage, and why."""

    start_ms: int
    end_ms: int
    cause: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    recordings: list[Run]
    gaps: list[Unrecorded]


def merge_timeline(
    recordings: Iterable[Run] | Iterable[tuple],
    gaps: Iterable[Hole] | Iterable[tuple],
    span: Span,
    now_ms: int,
    *,
    join_ms: int = JOIN_MS,
) -> Timeline:
    """Cover `span`, as far as it isn't in the future. Footage beats every gap; what no row explains is `unknown`.
    Runs less than `join_ms` apart become one. O(n log n)."""
    end_ms = min(span.end_ms, now_ms)
    if end_ms <= span.start_ms:
        return Timeline([], [])
    runs = _join(recordings, span.start_ms, end_ms, join_ms)
    told: list[Unrecorded] = []
    # Rows come as `Hole` and `Run`, or as plain tuples of the same order: there are ten thousands of them.
    reasons: Winners[tuple] = Winners(
        (hole[0], end_ms if hole[1] is None else hole[1], hole[4], hole)
        for hole in gaps
        if hole[0] < end_ms and (hole[1] is None or hole[1] > span.start_ms)
    )
    for start_ms, stop_ms in between(runs, span.start_ms, end_ms):
        for first_ms, last_ms, hole in reasons.over(start_ms, stop_ms):
            cause, detail = (hole[2], hole[3]) if hole else (GapCause.UNKNOWN.value, "")
            last = told[-1] if told else None
            if last and last.end_ms == first_ms and (last.cause, last.detail) == (cause, detail):
                first_ms = told.pop().start_ms
            told.append(Unrecorded(first_ms, last_ms, cause, detail))
    return Timeline(runs, told)


def _join(recordings: Iterable[tuple], start_ms: int, end_ms: int, join_ms: int) -> list[Run]:
    """The union of the runs inside the span, small holes closed."""
    joined: list[Run] = []
    first = last = 0
    for begin, end in sorted(recordings):
        begin, end = max(begin, start_ms), min(end, end_ms)
        if end <= begin:
            continue
        if last and begin - last < join_ms:
            last = max(last, end)
            continue
        if last:
            joined.append(Run(first, last))
        first, last = begin, end
    if last:
        joined.append(Run(first, last))
    return joined


def read_timeline(camera: Camera, stream: Stream, span: Span, now: datetime, *, join_ms: int = JOIN_MS) -> Timeline:
    """The timeline of `stream`. Raises `SpanTooDenseError`. Three queries, a fourth while a run of a crashed recorder
    is still open."""
    stream.camera = camera
    return read_timelines([stream], span, now, join_ms=join_ms)[stream.pk]


def read_timelines(
    streams: Sequence[Stream], span: Span, now: datetime, *, join_ms: int = JOIN_MS, max_rows: int = MAX_ROWS
) -> dict[int, Timeline]:
    """The timelines of many streams (with `camera.server` and `status` loaded), by their keys. Raises
    `SpanTooDenseError`. As many queries as for one."""
    now_ms = to_ms(now)
    keys = [stream.pk for stream in streams]
    oldest_ms = min((to_ms(covers_since(stream)) for stream in streams), default=0)
    by_end = now_ms - span.start_ms < span.end_ms - oldest_ms
    run_rows = _read_rows(Recording.objects.filter(stream__in=keys), (), span, max_rows, by_end=by_end)
    gap_rows = _read_rows(Gap.objects.filter(stream__in=keys), ("cause", "detail"), span, max_rows, by_end=by_end)
    runs: dict[int, list[tuple[int, int, int]]] = {key: [] for key in keys}
    open_since: dict[int, int] = {}
    for key, epoch, start_ms, end_ms in run_rows:
        if end_ms is None:
            open_since[key] = min(open_since.get(key, start_ms), start_ms)
        else:
            runs[key].append((start_ms, end_ms, epoch))
    for key, run in _open_runs(open_since, {stream.pk: _live_edge_ms(stream, now_ms) for stream in streams}):
        runs[key].append(run)
    holes: dict[int, list[tuple[int, int | None, str, str, int]]] = {key: [] for key in keys}
    told: dict[int, list[tuple[int, int, int]]] = {key: [] for key in keys}
    for key, epoch, start_ms, end_ms, cause, detail in gap_rows:
        # A known cause beats `unknown`, whoever wrote it; then the higher epoch explains.
        rank = 0 if cause == "unknown" else epoch + 1
        holes[key].append((start_ms, end_ms, cause, detail, rank))
        if end_ms is not None and epoch:
            told[key].append((start_ms, end_ms, epoch))
    timelines = {}
    for stream in streams:
        own = without_holes(runs[stream.pk], told[stream.pk])
        known = [*holes[stream.pk], *_computed_holes(stream, own, holes[stream.pk], now)]
        timelines[stream.pk] = merge_timeline(own, known, span, now_ms, join_ms=join_ms)
    return timelines


def covers_since(stream: Stream) -> datetime:
    """From when on the ledger answers for `stream`: a second stream may have come later than its camera."""
    if stream.kind == StreamKind.MAIN:
        return stream.camera.created_at
    return max(stream.camera.created_at, stream.created_at)


def _read_rows(rows: SpanQuerySet, more: tuple[str, ...], span: Span, max_rows: int, *, by_end: bool) -> list[tuple]:
    """Stream, epoch, start and end in ms, and `more` of rows that overlap the span. Raises `SpanTooDenseError`.

    PostgreSQL finds them by both bounds. SQLite takes one index and can't know which: with `by_end` the ends, reading
    all that is newer, else the starts, reading all that is older; the other bound is put on an expression."""
    start_at, end_at = from_ms(span.start_ms), from_ms(span.end_ms)
    told = rows.order_by().annotate(start_ms=UnixMs("started_at"), end_ms=UnixMs("ended_at"))
    fields = ("stream_id", "epoch", "start_ms", "end_ms", *more)
    if connection.vendor != "sqlite":
        both = told.overlapping(start_at, end_at).values_list(*fields)
    else:
        if by_end:
            closed = told.filter(ended_at__gt=start_at, start_ms__lt=span.end_ms)
        else:
            closed = told.filter(started_at__lt=end_at, end_ms__gt=span.start_ms)
        still_open = told.filter(ended_at__isnull=True, started_at__lt=end_at)
        both = closed.values_list(*fields).union(still_open.values_list(*fields), all=True)
    found = list(both[: max_rows + 1])
    if len(found) > max_rows:
        raise SpanTooDenseError
    return found


def _live_edge_ms(stream: Stream, now_ms: int) -> int | None:
    """How far the stream's open run reaches, None when nothing is known."""
    status = getattr(stream, "status", None)
    if status is None or status.last_frame_at is None:
        return None
    last_ms = to_ms(status.last_frame_at)
    return now_ms if now_ms - last_ms < FRESH_MS else last_ms


def _open_runs(since: Mapping[int, int], edges: Mapping[int, int | None]) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """The runs that are open in each stream of `since` (from that instant on), as far as they reach for now. Only the
    newest run of a stream can be alive; another one was left open by a crash and reaches to the end of its newest
    segment. One query when any is open, two after a crash, none otherwise."""
    if not since:
        return
    later = Recording.objects.filter(stream__in=since, started_at__gte=from_ms(min(since.values())))
    rows = list(later.order_by("started_at").values_list("id", "stream_id", "started_at", "ended_at", "epoch"))
    newest = {key: pk for pk, key, *_ in rows}
    left_open = []
    for pk, key, started_at, ended_at, epoch in rows:
        if ended_at is not None:
            continue
        start_ms, edge_ms = to_ms(started_at), edges[key]
        if newest[key] == pk and edge_ms is not None:
            yield key, (start_ms, max(edge_ms, start_ms), epoch)
        else:
            left_open.append((pk, key, start_ms, epoch))
    if left_open:
        last_ends = Segment.objects.filter(recording__in=[row[0] for row in left_open]).order_by()
        ends = dict(last_ends.values_list("recording_id").annotate(Max("ended_at")))
        for pk, key, start_ms, epoch in left_open:
            if pk in ends:
                yield key, (start_ms, to_ms(ends[pk]), epoch)


def _computed_holes(stream: Stream, runs: Sequence[tuple], holes: Sequence[tuple], now: datetime) -> Iterator[Hole]:
    """What no row says but the settings do; every row ranks above these."""
    camera = stream.camera
    since_ms = to_ms(covers_since(stream))
    yield Hole(0, since_ms, GapCause.UNKNOWN.value, NOT_YET, rank=-1)
    known = [end_ms for _, end_ms in runs] + [hole[1] for hole in holes if hole[1] is not None]
    tail_ms = max([since_ms, *known])
    if camera.deleted_at or not camera.is_enabled or not stream.is_enabled:
        yield Hole(tail_ms, None, GapCause.DISABLED.value, "The camera is switched off.", rank=-1)
    elif camera.recording_mode == RecordingMode.OFF:
        yield Hole(tail_ms, None, GapCause.SCHEDULE.value, "The camera is shown live only.", rank=-1)
    else:
        seen_at = camera.server.last_seen_at
        if seen_at is None or now - seen_at > timedelta(milliseconds=FRESH_MS):
            start_ms = tail_ms if seen_at is None else max(tail_ms, to_ms(seen_at))
            detail = f"The recorder of {camera.server.name} doesn't report."
            yield Hole(start_ms, None, GapCause.SERVER_DOWN.value, detail, rank=-1)

"""The timeline of one stream: which parts of a span are recorded, and why the others are not.

`merge_timeline` is pure: rows in, a timeline out that covers the span exactly, without overlap, in order.
`read_timelines` fetches the rows: two queries, however long the span and however many the streams. Used by the API and
the console; web process.
All instants are Unix milliseconds, spans half-open.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from recorder.causes import GapCause
from recorder.coverage.claims import Claim, Winners
from recorder.coverage.ledger import between, without_holes
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
class Unrecorded:
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
    recordings: Iterable[Run], gaps: Iterable[Hole], span: Span, now_ms: int, *, join_ms: int = JOIN_MS
) -> Timeline:
    """Cover `span`, as far as it isn't in the future. Footage beats every gap; what no row explains is `unknown`.
    Runs less than `join_ms` apart become one. O(n log n)."""
    end_ms = min(span.end_ms, now_ms)
    if end_ms <= span.start_ms:
        return Timeline([], [])
    runs = _join(recordings, span.start_ms, end_ms, join_ms)
    told: list[Unrecorded] = []
    reasons: Winners[Hole] = Winners(
        Claim(hole.start_ms, end_ms if hole.end_ms is None else hole.end_ms, hole.rank, hole)
        for hole in gaps
        if hole.start_ms < end_ms and (hole.end_ms is None or hole.end_ms > span.start_ms)
    )
    for start_ms, stop_ms in between(((run.start_ms, run.end_ms) for run in runs), span.start_ms, end_ms):
        for first_ms, last_ms, hole in reasons.over(start_ms, stop_ms):
            cause, detail = (hole.cause, hole.detail) if hole else (GapCause.UNKNOWN.value, "")
            last = told[-1] if told else None
            if last and last.end_ms == first_ms and (last.cause, last.detail) == (cause, detail):
                first_ms = told.pop().start_ms
            told.append(Unrecorded(first_ms, last_ms, cause, detail))
    return Timeline(runs, told)


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
    start_at, end_at = from_ms(span.start_ms), from_ms(span.end_ms)
    now_ms = to_ms(now)
    keys = [stream.pk for stream in streams]
    run_rows = _read_rows(
        Recording.objects.filter(stream__in=keys), ("stream_id", "started_at", "ended_at", "epoch", "id"),
        start_at, end_at, max_rows,
    )  # fmt: skip
    gap_rows = _read_rows(
        Gap.objects.filter(stream__in=keys), ("stream_id", "started_at", "ended_at", "epoch", "cause", "detail"),
        start_at, end_at, max_rows,
    )  # fmt: skip
    edges = {stream.pk: _live_edge_ms(stream, now_ms) for stream in streams}
    ends = _open_run_ends([row for row in run_rows if row[2] is None], edges)
    runs: dict[int, list[tuple[int, int, int]]] = {key: [] for key in keys}
    for key, started_at, ended_at, epoch, pk in run_rows:
        end_ms = ends.get(pk) if ended_at is None else to_ms(ended_at)
        if end_ms is not None:
            runs[key].append((to_ms(started_at), end_ms, epoch))
    holes: dict[int, list[Hole]] = {key: [] for key in keys}
    told: dict[int, list[tuple[int, int, int]]] = {key: [] for key in keys}
    for key, started_at, ended_at, epoch, cause, detail in gap_rows:
        start_ms, end_ms = to_ms(started_at), None if ended_at is None else to_ms(ended_at)
        # A known cause beats `unknown`, whoever wrote it; then the higher epoch explains.
        rank = 0 if cause == GapCause.UNKNOWN else epoch + 1
        holes[key].append(Hole(start_ms, end_ms, cause, detail, rank))
        if end_ms is not None:
            told[key].append((start_ms, end_ms, epoch))
    timelines = {}
    for stream in streams:
        own = [Run(first_ms, last_ms) for first_ms, last_ms in without_holes(runs[stream.pk], told[stream.pk])]
        known = [*holes[stream.pk], *_computed_holes(stream, own, holes[stream.pk], now)]
        timelines[stream.pk] = merge_timeline(own, known, span, now_ms, join_ms=join_ms)
    return timelines


def covers_since(stream: Stream) -> datetime:
    """From when on the ledger answers for `stream`: a second stream may have come later than its camera."""
    if stream.kind == StreamKind.MAIN:
        return stream.camera.created_at
    return max(stream.camera.created_at, stream.created_at)


def _read_rows(
    rows: SpanQuerySet, fields: tuple[str, ...], start_at: datetime, end_at: datetime, max_rows: int
) -> list[tuple]:
    """Rows that overlap the span. Raises `SpanTooDenseError`."""
    found = list(rows.overlapping(start_at, end_at).order_by().values_list(*fields)[: max_rows + 1])
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


def _open_run_ends(open_rows: Sequence[tuple], edges: Mapping[int, int | None]) -> dict[uuid.UUID, int]:
    """Where each open run ends for now. Only the newest run of a stream can be alive; another one was left open by a
    crash and reaches to the end of its newest segment. Two queries when any is open, none otherwise."""
    if not open_rows:
        return {}
    newest: dict[int, uuid.UUID] = {}
    later = Recording.objects.filter(
        stream__in={row[0] for row in open_rows}, started_at__gte=min(row[1] for row in open_rows)
    )
    for key, pk in later.order_by("started_at").values_list("stream_id", "id"):
        newest[key] = pk
    ends: dict[uuid.UUID, int] = {}
    left_open = []
    for key, started_at, _, _, pk in open_rows:
        edge_ms = edges[key]
        if newest.get(key) == pk and edge_ms is not None:
            ends[pk] = max(edge_ms, to_ms(started_at))
        else:
            left_open.append(pk)
    if left_open:
        last_ends = Segment.objects.filter(recording__in=left_open).order_by().values_list("recording_id")
        ends.update((pk, to_ms(end)) for pk, end in last_ends.annotate(Max("ended_at")))
    return ends


def _computed_holes(stream: Stream, runs: Sequence[Run], holes: Sequence[Hole], now: datetime) -> Iterator[Hole]:
    """What no row says but the settings do; every row ranks above these."""
    camera = stream.camera
    since_ms = to_ms(covers_since(stream))
    yield Hole(0, since_ms, GapCause.UNKNOWN.value, NOT_YET, rank=-1)
    known = [run.end_ms for run in runs] + [hole.end_ms for hole in holes if hole.end_ms is not None]
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

"""Instants and spans as the API takes and gives them: ISO 8601 with zone in, UTC with milliseconds out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rest_framework.request import Request

from vms.api.errors import refuse_field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")


def to_ms(at: datetime) -> int:
    """Unix time in whole milliseconds, rounded down."""
    return (at - EPOCH) // _MILLISECOND


def from_ms(at_ms: int) -> datetime:
    return EPOCH + at_ms * _MILLISECOND


def iso_ms(at_ms: int) -> str:
    """`2026-03-01T12:00:00.250Z`."""
    return from_ms(at_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Span:
    """`[start_ms, end_ms)` in Unix milliseconds."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        return self.end_ms - self.start_ms


def read_instant(request: Request, name: str) -> int | None:
    """The query parameter `name` in Unix milliseconds, None when it isn't there. Raises a 400 that says what is
    wrong: not ISO 8601, without a zone, or before 1970."""
    text = request.query_params.get(name)
    if text is None:
        return None
    # A client that doesn't escape the + of +01:00 sends a space.
    text = _LOST_PLUS.sub(r"+\1", text.strip())
    try:
        at = datetime.fromisoformat(text)
    except ValueError as err:
        raise refuse_field(name, "bad_time", "Give the time as ISO 8601, like 2026-03-01T12:00:00.250Z.") from err
    if at.tzinfo is None:
        raise refuse_field(name, "no_zone", "The time lacks its zone: end it with Z for UTC, or with +01:00.")
    try:
        at_ms = to_ms(at)
    except OverflowError as err:
        raise refuse_field(name, "bad_time", "The time lies outside the calendar.") from err
    if not 0 <= at_ms < 253_402_214_400_000:  # the end of the year 9999, less a day for zones
        raise refuse_field(name, "bad_time", "The time lies outside the calendar.")
    return at_ms


def read_span(request: Request, *, max_duration: timedelta) -> Span:
    """The query parameters `from` and `to`. Raises a 400 when one is missing or wrong, when the span is empty or
    turned round, or longer than `max_duration`."""
    bounds = {}
    for name in ("from", "to"):
        at_ms = read_instant(request, name)
        if at_ms is None:
            raise refuse_field(name, "required", f"The parameter {name} is missing.")
        bounds[name] = at_ms
    span = Span(bounds["from"], bounds["to"])
    if span.duration_ms <= 0:
        raise refuse_field("to", "empty_span", "`to` must be later than `from`.")
    if span.duration_ms > max_duration // _MILLISECOND:
        hours = max_duration // timedelta(hours=1)
        limit = f"{hours // 24} days" if hours > 48 else f"{hours} hours"
        raise refuse_field("to", "span_too_long", f"A span may be at most {limit} long.")
    return span

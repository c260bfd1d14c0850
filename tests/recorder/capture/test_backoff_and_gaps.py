"""Waits grow, are capped and spread; a gap has one identity and the best known cause."""

from __future__ import annotations

import random

from recorder.capture.desired import StreamSpec
from recorder.capture.gaps import GapLedger
from recorder.capture.stream import Backoff
from recorder.causes import GapCause
from recorder.errors import CameraError, ErrorCode

LOST = CameraError(ErrorCode.CLOSED, "closed")
LOCKED = CameraError(ErrorCode.UNAUTHORIZED, "password", is_permanent=True)


def test_waits_grow_from_1_to_30_s_and_begin_anew_after_good_seconds() -> None:
    backoff = Backoff(random.Random(1))
    waits = [backoff.after(LOST, 0) for _ in range(12)]
    assert all(1 <= wait <= 30 for wait in waits)
    assert waits[-1] > 20 > 2 > waits[0]
    assert backoff.after(LOST, 10.5) <= 0.2
    assert backoff.after(LOST, 0) <= 1.25


def test_a_wrong_password_is_tried_at_most_once_a_minute() -> None:
    backoff = Backoff()
    assert all(backoff.after(LOCKED, 100) >= 60 for _ in range(50))


def test_waits_differ_between_streams() -> None:
    assert len({Backoff().after(LOCKED, 0) for _ in range(20)}) == 20


def test_a_gap_keeps_its_id_and_learns_its_cause() -> None:
    rows: list[dict] = []
    spec = StreamSpec("c", "main", 0, 7, "rtsp://h/", "v")
    gaps = GapLedger(spec, lambda kind, row: rows.append(dict(row)))
    gaps.open(10, GapCause.UNREACHABLE, "closed", is_preliminary=True)
    gaps.open(12, GapCause.UNAUTHORIZED, "password")
    gaps.open(13, GapCause.STALLED, "later troubles don't change the cause")
    gaps.close(20)
    gaps.close(30)
    assert len({row["gap"] for row in rows}) == 1
    assert [(row["start_ns"], row["end_ns"], row["cause"]) for row in rows] == [
        (10, None, "unreachable"),
        (10, None, "unauthorized"),
        (10, 20, "unauthorized"),
    ]
    assert (gaps.count, gaps.is_open) == (1, False)

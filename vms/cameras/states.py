"""What a camera does now, in one word and one sentence: the same for API, pages, events and metrics.

A camera's state is its main stream's as the recorder last reported it, `disabled` when it is switched off, and
`unknown` when its server hasn't reported for `REPORT_STALE`: an old "recording" must not look like a promise.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from django.db.models import Case, F, FilteredRelation, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from vms.cameras.choices import StreamKind, StreamState
from vms.cameras.models import Camera, CameraQuerySet, Stream

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _Annotations(TypedDict):
        state: str

    CameraWithState = WithAnnotations[Camera, _Annotations]
else:
    CameraWithState = Camera

REPORT_STALE = timedelta(seconds=15)
"""Recorders report every second; sane: 5 s to a minute."""

WAITING = "Waiting for the recorder."


class StateReport(TypedDict):
    state: str
    state_detail: str
    """A sentence, or empty."""
    state_since: datetime | None


def with_state(cameras: CameraQuerySet, now: datetime) -> QuerySet[CameraWithState]:
    """Adds `state` to each row, in the same query."""
    return cameras.annotate(
        main_stream=FilteredRelation("streams", condition=Q(streams__kind=StreamKind.MAIN)),
    ).annotate(
        state=Case(
            When(is_enabled=False, then=Value(StreamState.DISABLED.value)),
            When(
                Q(server__last_seen_at__isnull=True) | Q(server__last_seen_at__lt=now - REPORT_STALE),
                then=Value(StreamState.UNKNOWN.value),
            ),
            default=Coalesce(F("main_stream__status__state"), Value(StreamState.CONNECTING.value)),
        )
    )


def with_streams(cameras: CameraQuerySet, now: datetime) -> QuerySet[CameraWithState]:
    """Cameras with all that `describe_state` reads: three queries, however many cameras."""
    return with_state(cameras, now).select_related("server").prefetch_related("streams__status")


def stream_of(camera: Camera, kind: str) -> Stream | None:
    """The camera's stream if its settings name it now. Uses prefetched rows."""
    return next((stream for stream in camera.streams.all() if stream.kind == kind and stream.is_enabled), None)


def describe_state(camera: CameraWithState) -> StateReport:
    """`state`, `state_detail`, `state_since` of a camera from `with_streams`."""
    main = stream_of(camera, StreamKind.MAIN)
    status = getattr(main, "status", None) if main else None
    if camera.state == StreamState.DISABLED:
        return {"state": camera.state, "state_detail": "Switched off.", "state_since": None}
    if camera.state == StreamState.UNKNOWN:
        return {
            "state": camera.state,
            "state_detail": f"The recorder of server {camera.server.name} doesn't report.",
            "state_since": camera.server.last_seen_at,
        }
    if status is None:
        return {"state": camera.state, "state_detail": WAITING, "state_since": camera.updated_at}
    return {"state": camera.state, "state_detail": status.state_detail, "state_since": status.since_at}

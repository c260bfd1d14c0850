"""Whether there is footage in a span, and where the nearest is: asked before a media address is handed out.

The disks of this server answer for their own cameras; the database for those of other servers, and when a disk can't be
read. Web process; a few directory listings or three small queries.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.models import Max, Min

from recorder.archive.catalog import Catalog
from recorder.archive.exceptions import FootageGone
from recorder.models import Recording
from vms.api.times import Span, from_ms, to_ms
from vms.cameras.models import Camera

_volumes = threading.local()


@dataclass(frozen=True, slots=True)
class Presence:
    has_footage: bool
    before_ms: int | None = None
    """The last moment with footage before an empty span."""
    after_ms: int | None = None


def look_for_footage(camera: Camera, stream: str, span: Span) -> Presence:
    """`camera` with its server."""
    if camera.server.name == settings.VMS_SERVER_NAME:
        try:
            return _on_disk(camera, stream, span)
        except (OSError, FootageGone):
            pass
    return _in_rows(camera, stream, span)


@cache
def _catalog() -> Catalog:
    return Catalog(lambda: _volumes.paths)


def _on_disk(camera: Camera, stream: str, span: Span) -> Presence:
    _volumes.paths = [Path(path) for path in camera.server.volumes.values_list("path", flat=True)]
    catalog = _catalog()
    before_ms, after_ms = catalog.nearest(str(camera.pk), stream, span.end_ms - 1)
    if before_ms is not None and before_ms >= span.start_ms:
        return Presence(True)
    # A span that lies between two frames shows the earlier one.
    if catalog.segments(str(camera.pk), stream, span.start_ms, span.start_ms + 1):
        return Presence(True)
    return Presence(False, before_ms, after_ms)


def _in_rows(camera: Camera, stream: str, span: Span) -> Presence:
    runs = Recording.objects.filter(stream__camera=camera, stream__kind=stream)
    start_at, end_at = from_ms(span.start_ms), from_ms(span.end_ms)
    if runs.overlapping(start_at, end_at).exists():
        return Presence(True)
    before = runs.filter(ended_at__lte=start_at).aggregate(at=Max("ended_at"))["at"]
    after = runs.filter(started_at__gte=end_at).aggregate(at=Min("started_at"))["at"]
    return Presence(False, to_ms(before) if before else None, to_ms(after) if after else None)

"""Query parameters that the camera views share, and how they are read."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from vms.api.errors import NotThere, refuse_field
from vms.cameras.choices import StreamKind
from vms.cameras.models import Camera, Stream

STREAM = OpenApiParameter("stream", str, enum=StreamKind.values, default=StreamKind.MAIN.value)
FROM = OpenApiParameter("from", OpenApiTypes.DATETIME, required=True, description="ISO 8601 with zone; included.")
TO = OpenApiParameter("to", OpenApiTypes.DATETIME, required=True, description="ISO 8601 with zone; excluded.")
AT = OpenApiParameter("at", OpenApiTypes.DATETIME, description="ISO 8601 with zone; without it, now.")
PROXY = OpenApiParameter("proxy", bool, description="`1`: redirect through the web service instead of the media port.")


def read_stream_kind(request: Request) -> str:
    """`main` or `sub`. Raises a 400."""
    kind = request.query_params.get("stream", StreamKind.MAIN.value)
    if kind not in StreamKind.values:
        raise refuse_field("stream", "invalid_choice", "`stream` is main or sub.")
    return kind


def find_stream(camera: Camera, kind: str, *, must_run: bool = False) -> Stream:
    """The camera's stream with its status. Raises a 404 where the camera has (`must_run`: now has) none such."""
    streams = Stream.objects.select_related("status").filter(camera=camera, kind=kind)
    stream = (streams.filter(is_enabled=True) if must_run else streams).first()
    if stream is None:
        raise NotThere("no_stream", f"{camera.name} has no {kind} stream.")
    return stream

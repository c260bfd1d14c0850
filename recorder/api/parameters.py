"""Query parameters that the camera views share, and how they are read."""

from __future__ import annotations

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from vms.accounts.rights import Action
from vms.api.errors import NotThere, refuse_field
from vms.cameras.choices import StreamKind
from vms.cameras.models import Camera, Stream
from vms.servers.access import access_servers
from vms.servers.models import Server

STREAM = OpenApiParameter("stream", str, enum=StreamKind.values, default=StreamKind.MAIN.value)
FROM = OpenApiParameter("from", OpenApiTypes.DATETIME, required=True, description="ISO 8601 with zone; included.")
TO = OpenApiParameter("to", OpenApiTypes.DATETIME, required=True, description="ISO 8601 with zone; excluded.")
AT = OpenApiParameter("at", OpenApiTypes.DATETIME, description="ISO 8601 with zone; without it, now.")
SERVER = OpenApiParameter("server", str, description="ID; without it, the main server.")
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


def read_number(request: Request, name: str, default: int, highest: int) -> int:
    """A whole number from 1 to `highest`. Raises a 400."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= highest):
        raise refuse_field(name, "invalid", f"`{name}` is a number from 1 to {highest}.")
    return int(text)


def find_server(request: Request, action: Action) -> Server:
    """The recording server that the parameter names. Raises a 404."""
    servers = access_servers(request.user, action).filter(is_recorder=True)
    if wanted := request.query_params.get("server"):
        try:
            servers = servers.filter(pk=uuid.UUID(wanted))
        except ValueError as err:
            raise refuse_field("server", "invalid", "`server` is an ID.") from err
    server = servers.order_by("-is_main", "name").first()
    if server is None:
        raise NotThere("no_server", "There is no such server.")
    return server

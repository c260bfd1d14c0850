"""The frame around every page: what rail, tree and top line show. Views render through `render_page`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from vms.accounts.rights import Action
from vms.cameras.access import access_cameras
from vms.cameras.states import with_streams
from vms.console.rows import CameraRow, camera_row, count_recording

MAX_TREE = 1000
"""Cameras in the tree; a wall shows 64."""


def visible_rows(request: HttpRequest) -> list[CameraRow]:
    """The cameras that the user may watch, by server and name. Three queries, four for custom roles."""
    cameras = with_streams(access_cameras(request.user, Action.VIEW_LIVE), timezone.now())
    return [camera_row(camera) for camera in cameras.order_by("server__name", "name", "id")[:MAX_TREE]]


def frame_context(request: HttpRequest) -> dict[str, Any]:
    rows = visible_rows(request)
    user = request.user
    return {
        "rows": rows,
        "recording": count_recording(rows),
        "may_manage_cameras": user.may(Action.MANAGE_CAMERAS),
        "may_view_servers": user.may(Action.VIEW_SERVERS),
        "may_manage_servers": user.may(Action.MANAGE_SERVERS),
        "has_simulated": any(row.is_simulated for row in rows),
    }


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, section: str = "", status: int = 200
) -> HttpResponse:
    """`section`: the rail or menu entry to mark."""
    return render(request, template, {**frame_context(request), "section": section, **(context or {})}, status=status)

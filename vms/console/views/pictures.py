"""The live wall, one camera's page, and the fragments that keep them true."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from vms.accounts.rights import Action
from vms.cameras.access import access_camera, access_cameras
from vms.console.frame import frame_context, render_page


@require_safe
def wall(request: HttpRequest) -> HttpResponse:
    return render_page(request, "console/wall.html", section="live")


@require_safe
def camera(request: HttpRequest, camera_id: UUID) -> HttpResponse:
    """Live and playback; who may only watch live gets the live picture alone."""
    shown = access_camera(request.user, camera_id, Action.VIEW_LIVE)
    context = {
        "camera": shown,
        "may_play_back": access_cameras(request.user, Action.VIEW_PLAYBACK).filter(pk=camera_id).exists(),
        "may_export": access_cameras(request.user, Action.EXPORT_CLIP).filter(pk=camera_id).exists(),
    }
    return render_page(request, "console/camera.html", context, section="live")


@require_safe
def tree(request: HttpRequest) -> HttpResponse:
    """The camera tree and the top line's count, rendered anew. `at`: the camera on the page."""
    return render(
        request, "console/fragments/tree_update.html", {**frame_context(request), "current": request.GET.get("at", "")}
    )


@require_safe
def count(request: HttpRequest) -> HttpResponse:
    return render(request, "console/fragments/count.html", frame_context(request))

"""Set-up pages: cameras, servers, storage.

Adding and editing a camera goes from the page to the REST API, which checks the address; what needs no check is
posted here.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from vms.accounts.rights import Action
from vms.cameras.access import access_camera, access_cameras
from vms.cameras.choices import RecordingMode, StreamKind, Transport
from vms.cameras.services import delete_camera, remove_simulated_cameras, restart_camera, update_camera
from vms.cameras.states import stream_of, with_streams
from vms.console.frame import render_page
from vms.console.rows import camera_row, describe_lasting, summarize, worst_first
from vms.servers.access import access_servers, access_volume, access_volumes
from vms.servers.choices import VolumePurpose
from vms.servers.services import update_volume

MAX_ROWS = 500
SERVER_STALE_S = 15


def _require(request: HttpRequest, action: Action) -> None:
    if not request.user.may(action):
        raise PermissionDenied


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return redirect("console:setup-cameras" if request.user.may(Action.MANAGE_CAMERAS) else "console:setup-servers")


# --- Cameras -----------------------------------------------------------------------------------------------------


def _camera_rows(request: HttpRequest) -> dict[str, object]:
    cameras = with_streams(access_cameras(request.user, Action.MANAGE_CAMERAS), timezone.now())
    rows = worst_first(camera_row(camera) for camera in cameras[:MAX_ROWS])
    bitrate_bps = sum(row.bitrate_bps for row in rows)
    free_bytes = sum(
        volume.free_bytes
        for volume in access_volumes(request.user, Action.VIEW_SERVERS)
        if volume.is_enabled and volume.purpose == VolumePurpose.ARCHIVE
    )
    return {
        "camera_rows": rows,
        "lasts": describe_lasting(free_bytes, bitrate_bps),
        "summary": summarize(rows),
        "bitrate_bps": bitrate_bps,
        "stream_count": sum(1 + row.has_sub for row in rows),
        "recording_count": sum(row.is_recording for row in rows),
        "meant_count": sum(row.is_meant_to_record for row in rows),
        "free_bytes": free_bytes,
        "simulated_count": sum(row.is_simulated for row in rows),
    }


@require_safe
def cameras(request: HttpRequest) -> HttpResponse:
    _require(request, Action.MANAGE_CAMERAS)
    return render_page(request, "console/setup/cameras.html", _camera_rows(request), section="cameras")


@require_safe
def camera_table(request: HttpRequest) -> HttpResponse:
    _require(request, Action.MANAGE_CAMERAS)
    return render(request, "console/fragments/camera_table.html", _camera_rows(request))


def _form_context(request: HttpRequest) -> dict[str, object]:
    return {
        "modes": [(value, label) for value, label in RecordingMode.choices if value != RecordingMode.MOTION],
        "transports": Transport.choices,
        "servers": access_servers(request.user, Action.VIEW_SERVERS).filter(is_recorder=True),
    }


@require_safe
def add_camera(request: HttpRequest) -> HttpResponse:
    _require(request, Action.MANAGE_CAMERAS)
    return render_page(request, "console/setup/camera_form.html", _form_context(request), section="cameras")


@require_safe
def edit_camera(request: HttpRequest, camera_id: UUID) -> HttpResponse:
    camera = access_camera(request.user, camera_id, Action.MANAGE_CAMERAS)
    main, sub = (stream_of(camera, kind) for kind in (StreamKind.MAIN, StreamKind.SUB))
    context = {
        **_form_context(request),
        "camera": camera,
        "has_password": bool(camera.password_sealed),
        "main_url": main.url if main else "",
        "sub_url": sub.url if sub else "",
    }
    return render_page(request, "console/setup/camera_form.html", context, section="cameras")


@require_POST
def switch_camera(request: HttpRequest, camera_id: UUID) -> HttpResponse:
    """Enable or disable, as the form says."""
    camera = access_camera(request.user, camera_id, Action.MANAGE_CAMERAS)
    is_enabled = request.POST.get("enabled") == "1"
    update_camera(actor=request.user, camera=camera, is_enabled=is_enabled)
    messages.success(request, f"{camera.name} is switched {'on' if is_enabled else 'off'}.")
    return redirect("console:setup-cameras")


@require_POST
def remove_camera(request: HttpRequest, camera_id: UUID) -> HttpResponse:
    camera = access_camera(request.user, camera_id, Action.MANAGE_CAMERAS)
    delete_camera(actor=request.user, camera=camera)
    messages.success(request, f"{camera.name} is deleted. Its recordings stay until retention takes them.")
    return redirect("console:setup-cameras")


@require_POST
def reconnect_camera(request: HttpRequest, camera_id: UUID) -> HttpResponse:
    camera = access_camera(request.user, camera_id, Action.MANAGE_CAMERAS)
    restart_camera(actor=request.user, camera=camera)
    messages.success(request, f"The recorder connects to {camera.name} anew.")
    return redirect("console:setup-camera", camera_id)


@require_POST
def remove_demo(request: HttpRequest) -> HttpResponse:
    _require(request, Action.MANAGE_CAMERAS)
    number = remove_simulated_cameras(actor=request.user)
    messages.success(request, f"{number} demo camera{'' if number == 1 else 's'} removed.")
    return redirect("console:setup-cameras")


# --- Servers and storage -------------------------------------------------------------------------------------------


def _server_rows(request: HttpRequest) -> dict[str, object]:
    now = timezone.now()
    servers = list(access_servers(request.user, Action.VIEW_SERVERS))
    for server in servers:
        age_s = (now - server.last_seen_at).total_seconds() if server.last_seen_at else None
        server.is_fresh = age_s is not None and age_s < SERVER_STALE_S
    volumes = list(access_volumes(request.user, Action.VIEW_SERVERS))
    for volume in volumes:
        volume.used_bytes = max(0, volume.capacity_bytes - volume.free_bytes)
        volume.used_percent = round(100 * volume.used_bytes / volume.capacity_bytes) if volume.capacity_bytes else 0
    return {"servers": servers, "volumes": volumes}


@require_safe
def servers(request: HttpRequest) -> HttpResponse:
    _require(request, Action.VIEW_SERVERS)
    return render_page(request, "console/setup/servers.html", _server_rows(request), section="servers")


@require_safe
def server_table(request: HttpRequest) -> HttpResponse:
    _require(request, Action.VIEW_SERVERS)
    context = {**_server_rows(request), "may_manage_servers": request.user.may(Action.MANAGE_SERVERS)}
    return render(request, "console/fragments/server_table.html", context)


@require_POST
def switch_volume(request: HttpRequest, volume_id: UUID) -> HttpResponse:
    """Whether new footage may be written to the volume, as the form says."""
    volume = access_volume(request.user, volume_id, Action.MANAGE_SERVERS)
    is_enabled = request.POST.get("enabled") == "1"
    update_volume(actor=request.user, volume=volume, is_enabled=is_enabled)
    messages.success(request, f"{volume.path} {'takes' if is_enabled else 'no longer takes'} new recordings.")
    return redirect("console:setup-servers")

"""Cameras as people set them up: each function is one transaction with rows, audit entry, event and a nudge for the
recorders concerned.

Called by API, pages and commands, which have checked rights and addresses. The password is sealed on its way in and
is never handed out again; it falls away when a stream is pointed at another host, so that nobody can have the
product send it to a machine of his own.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from vms.audit.services import MASK, record_audit
from vms.cameras.choices import RecordingMode, StreamKind, StreamState, Transport
from vms.cameras.models import Assignment, Camera, Stream, StreamStatus
from vms.cameras.sealing import seal_password
from vms.events.services import EVERYBODY_GROUP, push
from vms.servers.models import Server
from vms.servers.services import default_server, touch_config

_OWN_FIELDS = ("name", "username", "transport", "recording_mode", "is_enabled")
_URL_FIELDS = {"main_url": StreamKind.MAIN, "sub_url": StreamKind.SUB}
_CHANGEABLE = {*_OWN_FIELDS, *_URL_FIELDS, "password", "server"}


@transaction.atomic
def create_camera(
    *,
    actor: Any,
    name: str,
    main_url: str,
    sub_url: str = "",
    username: str = "",
    password: str = "",
    server: Server | None = None,
    recording_mode: str = RecordingMode.CONTINUOUS,
    transport: str = Transport.TCP,
    is_enabled: bool = True,
    is_simulated: bool = False,
) -> Camera:
    """Add a camera and assign it to its server under epoch 1. URLs come without user name and password."""
    server = server or default_server()
    camera = Camera(
        site_id=server.site_id,
        server=server,
        name=name,
        username=username,
        transport=transport,
        recording_mode=recording_mode,
        is_enabled=is_enabled,
        is_simulated=is_simulated,
    )
    camera.password_sealed = seal_password(camera.pk, password)
    camera.save(force_insert=True)
    _set_stream(camera, StreamKind.MAIN, main_url)
    _set_stream(camera, StreamKind.SUB, sub_url)
    Assignment.objects.create(camera=camera, server=server, epoch=1, starts_at=timezone.now())
    after = _settings_of(camera) | {"password": MASK if password else ""}
    record_audit(actor=actor, action="camera.created", target=camera, detail={"after": after})
    touch_config(server)
    _tell("camera.changed", camera.pk)
    return camera


@transaction.atomic
def update_camera(*, actor: Any, camera: Camera, **changes: Any) -> Camera:
    """Change some settings; what isn't named stays. `password`: None leaves it, empty clears it. `sub_url`: empty
    switches the sub stream off. Nothing is written, and no recorder disturbed, when nothing differs."""
    if unknown := set(changes) - _CHANGEABLE:
        raise TypeError(f"can't change {sorted(unknown)}")
    camera = Camera.objects.select_for_update(of=("self",)).select_related("server").get(pk=camera.pk)
    before = _settings_of(camera)
    wanted = before | {name: value for name, value in changes.items() if name not in ("password", "server")}
    server = changes.get("server") or camera.server
    password = changes.get("password")
    if password is None and _hosts_of(wanted) - _hosts_of(before):
        password = ""
    if camera.is_simulated and _hosts_of(wanted) - _hosts_of(before):
        camera.is_simulated = False  # a simulated camera may be on this machine, any other may not
    for field in _OWN_FIELDS:
        setattr(camera, field, wanted[field])
    if password == "" and bytes(camera.password_sealed) == b"":
        password = None  # there is none to remove
    if password is not None:
        camera.password_sealed = seal_password(camera.pk, password)
    for field, kind in _URL_FIELDS.items():
        if wanted[field] != before[field]:
            _set_stream(camera, kind, wanted[field])
    old_server = camera.server
    if server.pk != old_server.pk:
        _assign(camera, server)
    after = _settings_of(camera)
    changed = [name for name in after if after[name] != before[name]]
    if not changed and password is None:
        return camera
    camera.save()
    if "is_enabled" in changed:
        _forget_reports(camera)
    detail = {
        "before": {name: before[name] for name in changed},
        "after": {name: after[name] for name in changed},
    }
    if password is not None:
        detail["after"]["password"] = MASK if password else ""
    record_audit(actor=actor, action="camera.changed", target=camera, detail=detail)
    for concerned in {old_server.pk: old_server, server.pk: server}.values():
        touch_config(concerned)
    _tell("camera.changed", camera.pk)
    return camera


@transaction.atomic
def delete_camera(*, actor: Any, camera: Camera) -> None:
    """Take a camera out of service. Its footage stays until retention takes it; its password goes at once."""
    now = timezone.now()
    is_mine = Camera.objects.filter(pk=camera.pk, deleted_at__isnull=True).update(
        deleted_at=now, is_enabled=False, password_sealed=b"", updated_at=now
    )
    if not is_mine:
        return
    camera.streams.update(is_enabled=False)
    camera.assignments.filter(ends_at__isnull=True).update(ends_at=now)
    record_audit(actor=actor, action="camera.deleted", target=camera)
    touch_config(camera.server)
    _tell("camera.deleted", camera.pk)


@transaction.atomic
def restart_camera(*, actor: Any, camera: Camera) -> None:
    """Have the recorder connect anew."""
    Camera.objects.filter(pk=camera.pk).update(restart_count=F("restart_count") + 1)
    record_audit(actor=actor, action="camera.restarted", target=camera)
    touch_config(camera.server)


@transaction.atomic
def remove_simulated_cameras(*, actor: Any) -> int:
    """Delete every demonstration camera; returns how many there were."""
    cameras = list(Camera.objects.existing().filter(is_simulated=True).select_related("server"))
    for camera in cameras:
        delete_camera(actor=actor, camera=camera)
    return len(cameras)


def _settings_of(camera: Camera) -> dict[str, Any]:
    """The settings a person sees, without the password: two queries."""
    urls = dict(camera.streams.filter(is_enabled=True).values_list("kind", "url"))
    return {
        **{field: getattr(camera, field) for field in _OWN_FIELDS},
        "main_url": urls.get(StreamKind.MAIN, ""),
        "sub_url": urls.get(StreamKind.SUB, ""),
        "server": camera.server.name,
        "is_simulated": camera.is_simulated,
    }


def _hosts_of(settings_: dict[str, Any]) -> set[tuple[str, str | None, int | None]]:
    """Where the password would be sent: scheme, host and port of each stream."""
    parts = [urlsplit(settings_[field]) for field in _URL_FIELDS if settings_[field]]
    return {(part.scheme.lower(), part.hostname, part.port) for part in parts}


def _set_stream(camera: Camera, kind: str, url: str) -> None:
    """A stream that isn't named any more keeps its row: its footage hangs on it."""
    if url:
        Stream.objects.update_or_create(camera=camera, kind=kind, defaults={"url": url, "is_enabled": True})
    else:
        Stream.objects.filter(camera=camera, kind=kind).update(is_enabled=False)


def _forget_reports(camera: Camera) -> None:
    """What was reported before a switch must not be shown after it; the recorder soon says more."""
    state = StreamState.CONNECTING if camera.is_enabled else StreamState.DISABLED
    StreamStatus.objects.filter(stream__camera=camera).update(
        state=state,
        state_detail="",
        error_code="",
        since_at=timezone.now(),
        retry_at=None,
        fps=0,
        bitrate_bps=0,
    )


def _assign(camera: Camera, server: Server) -> None:
    """Move the camera to `server` under a higher epoch."""
    now = timezone.now()
    highest = camera.assignments.aggregate(highest=Max("epoch"))["highest"] or 0
    camera.assignments.filter(ends_at__isnull=True).update(ends_at=now)
    Assignment.objects.create(camera=camera, server=server, epoch=highest + 1, starts_at=now)
    camera.server = server


def _tell(kind: str, camera_id: uuid.UUID) -> None:
    """To every socket: each consumer passes it on only to who may see the camera."""
    message = {"type": kind, "camera": str(camera_id)}
    transaction.on_commit(lambda: push(EVERYBODY_GROUP, message))

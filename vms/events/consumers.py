"""The event WebSocket of the pages, `/ws/events/`: what changes, as it changes.

On connect one `snapshot` of all cameras that the user may see; then `camera.state`, `camera.changed` (with the
camera's new row), `camera.deleted` and `event`. Applying them to an old page equals a fresh load: a socket joins the
group of a camera only with the right to see it, rights are asked anew when anything about them changes, and a socket
whose user was disabled or signed out closes within 5 s. Runs on the web process's loop; database work in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime
from importlib import import_module
from typing import Any
from uuid import UUID

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.utils import timezone

from vms.accounts.models import User
from vms.accounts.rights import Action
from vms.cameras.access import access_cameras
from vms.cameras.states import REPORT_STALE, CameraWithState, describe_state, with_streams
from vms.events.services import EVERYBODY_GROUP, camera_group
from vms.servers.models import Server

logger = logging.getLogger(__name__)

CHECK_S = 3.0
"""How often a socket asks whether its user is still signed in (promised: gone within 5 s)."""
MAX_CAMERAS = 1000
"""Groups one socket joins; a wall shows 64 tiles, a big site's list pages the rest."""

NOT_SIGNED_IN = 4401


class EventConsumer(AsyncJsonWebsocketConsumer):
    _user: User
    _visible: set[str]
    _with_events: set[str]
    """Of the visible cameras those whose events the user may see too."""
    _guard: asyncio.Task | None = None

    async def connect(self) -> None:
        self._visible, self._with_events = set(), set()
        self._silent: set[UUID] = set()
        self._one_at_a_time = asyncio.Lock()
        user = self.scope.get("user")
        await self.accept()
        if user is None or not user.is_authenticated or not user.is_active:
            # Accepted first: a browser learns the code of a close, not of a refused handshake.
            await self.close(NOT_SIGNED_IN)
            return
        self._user = user
        await self.channel_layer.group_add(EVERYBODY_GROUP, self.channel_name)
        self._silent = await self._read_silent_servers()
        await self._send_snapshot()
        self._guard = asyncio.create_task(self._watch_session())

    async def disconnect(self, code: int) -> None:
        if self._guard is not None:
            self._guard.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._guard
        # With Redis away there is nothing to leave.
        with contextlib.suppress(Exception):
            await self.channel_layer.group_discard(EVERYBODY_GROUP, self.channel_name)
            for camera in self._visible:
                await self.channel_layer.group_discard(camera_group(camera), self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Pages only listen."""

    async def push(self, event: dict[str, Any]) -> None:
        """From a group: pass on, after a look at what it means for this socket."""
        message = event["message"]
        kind = message.get("type")
        async with self._one_at_a_time:
            if kind == "rights.changed":
                if message.get("user") in (None, str(self._user.pk)) and await self._check_session():
                    await self._send_snapshot()
            elif kind == "camera.changed":
                await self._camera_changed(message["camera"])
            elif kind == "camera.deleted":
                await self._forget(message["camera"])
            elif self._may_hear(message):
                await self.send_json(message)

    def _may_hear(self, message: dict[str, Any]) -> bool:
        """What a group brings is meant for its members; events take a right of their own, servers another."""
        camera = message.get("camera")
        if camera is None:
            return self._user.may(Action.VIEW_SERVERS)
        return camera in (self._with_events if message.get("type") == "event" else self._visible)

    async def _send_snapshot(self) -> None:
        rows = await self._read_cameras(None)
        visible = {row["id"] for row in rows}
        for camera in self._visible - visible:
            await self.channel_layer.group_discard(camera_group(camera), self.channel_name)
        for camera in visible - self._visible:
            await self.channel_layer.group_add(camera_group(camera), self.channel_name)
        self._visible = visible
        # Read again after joining: what changed in between would otherwise be missed.
        rows = await self._read_cameras(visible)
        self._with_events = await self._read_event_rights(visible)
        await self.send_json({"type": "snapshot", "cameras": rows, "now": _iso(timezone.now())})

    async def _camera_changed(self, camera: str) -> None:
        rows = await self._read_cameras({camera})
        if not rows:
            await self._forget(camera)
            return
        self._with_events |= await self._read_event_rights({camera})
        if camera not in self._visible and len(self._visible) < MAX_CAMERAS:
            self._visible.add(camera)
            await self.channel_layer.group_add(camera_group(camera), self.channel_name)
        await self.send_json({"type": "camera.changed", "camera": camera, "row": rows[0]})

    async def _forget(self, camera: str) -> None:
        """Told only to whom the camera was visible."""
        if camera in self._visible:
            self._visible.discard(camera)
            await self.channel_layer.group_discard(camera_group(camera), self.channel_name)
            await self.send_json({"type": "camera.deleted", "camera": camera})

    @database_sync_to_async
    def _read_cameras(self, only: set[str] | None) -> list[dict[str, Any]]:
        cameras = with_streams(access_cameras(self._user, Action.VIEW_LIVE), timezone.now())
        if only is not None:
            cameras = cameras.filter(pk__in=[UUID(pk) for pk in only])
        return [_describe(camera) for camera in cameras[:MAX_CAMERAS]]

    @database_sync_to_async
    def _read_event_rights(self, cameras: set[str]) -> set[str]:
        allowed = access_cameras(self._user, Action.VIEW_EVENTS).filter(pk__in=[UUID(pk) for pk in cameras])
        return {str(pk) for pk in allowed.order_by().values_list("pk", flat=True)}

    @database_sync_to_async
    def _read_silent_servers(self) -> set[UUID]:
        heard = Server.objects.filter(last_seen_at__gte=timezone.now() - REPORT_STALE).values("pk")
        return set(Server.objects.exclude(pk__in=heard).values_list("pk", flat=True))

    async def _watch_session(self) -> None:
        """Ends the socket with its session, and tells when a server falls silent: nobody pushes that."""
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                async with self._one_at_a_time:
                    if not await self._check_session():
                        return
                    silent = await self._read_silent_servers()
                    if silent != self._silent:
                        self._silent = silent
                        await self._send_snapshot()
            except Exception:  # the database may be away for a while; the guard must outlive that
                logger.exception("The session of an event socket was not checked")

    async def _check_session(self) -> bool:
        """Whether the session still belongs to an active user; closes the socket otherwise."""
        session = self.scope.get("session")
        if session is None or not session.session_key:
            user = None
        else:
            store = import_module(settings.SESSION_ENGINE).SessionStore
            user = await get_user({"session": store(session.session_key)})
        if user is None or not user.is_authenticated or not user.is_active:
            await self.close(NOT_SIGNED_IN)
            return False
        self._user = user
        return True


def _describe(camera: CameraWithState) -> dict[str, Any]:
    state = describe_state(camera)
    since_at = state["state_since"]
    return {
        "id": str(camera.pk),
        "name": camera.name,
        "is_enabled": camera.is_enabled,
        "state": state["state"],
        "state_detail": state["state_detail"],
        "since": _iso(since_at) if since_at else None,
    }


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")

"""A site with a reporting server, and sockets opened as a page opens them: with the cookie of a signed-in session."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from vms.cameras.services import create_camera
from vms.routing import websocket_urlpatterns
from vms.servers.local import ensure_local_server


class Socket(ApplicationCommunicator):
    """A WebSocket client without a network (Channels' own needs its other server installed)."""

    def __init__(self, app, headers: list[tuple[bytes, bytes]]) -> None:
        super().__init__(
            app,
            {
                "type": "websocket",
                "path": "/ws/events/",
                "query_string": b"",
                "headers": headers,
                "subprotocols": [],
            },
        )

    async def connect(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(5))["type"] == "websocket.accept"

    async def receive_json(self) -> dict:
        message = await self.receive_output(5)
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


@pytest.fixture
def server(transactional_db):
    server = ensure_local_server()
    server.last_seen_at = timezone.now()
    server.save()
    return server


@pytest.fixture
def make_camera(server) -> Callable:
    def make(name: str = "Harbour"):
        return create_camera(actor=None, name=name, server=server, main_url="rtsp://10.0.0.5/main")

    return make


@pytest.fixture
def open_socket(redis_server) -> Callable:
    """`async with open_socket(client) as socket`: connected, `client` None for nobody."""
    app = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))

    @asynccontextmanager
    async def connect(client: Client | None) -> AsyncIterator[Socket]:
        headers = []
        if client is not None:
            key = client.cookies[settings.SESSION_COOKIE_NAME].value
            headers = [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode())]
        socket = Socket(app, headers)
        await socket.connect()
        try:
            yield socket
        finally:
            await socket.disconnect()
            # PostgreSQL doesn't drop the test database while the loop's thread holds a connection to it.
            await sync_to_async(connections.close_all)()

    return connect


@pytest.fixture
def in_thread() -> Callable:
    """Run database work of a test beside its event loop."""
    return lambda function: sync_to_async(function, thread_sensitive=True)()

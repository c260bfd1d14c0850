"""One HTTP request or WebSocket of the media service, and the plain kinds of answer to it.

Errors have the API's shape. Nothing here waits for a disk in the loop's thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from recorder.media.origin import SAFE_HEADERS, cors_headers, header
from recorder.media.tokens import MediaClaims

MAX_QUERY_BYTES = 2048
MAX_MS = 1 << 50
HeaderList = Iterable[tuple[bytes, bytes]]


class BadRequest(Exception):
    """A parameter makes no sense; the text says which."""


@dataclass(slots=True)
class Request:
    scope: dict[str, Any]
    receive: Any
    send: Any
    claims: MediaClaims
    origin: str
    """The page's origin, allowed already, or empty."""
    query: dict[str, str] = field(default_factory=dict)
    has_started: bool = False

    @property
    def is_head(self) -> bool:
        return self.scope.get("method") == "HEAD"

    def header(self, name: bytes) -> str | None:
        return header(self.scope["headers"], name)

    def flag(self, name: str, default: bool = False) -> bool:
        """Raises `BadRequest`."""
        value = self.query.get(name)
        if value is None:
            return default
        if value not in ("0", "1"):
            raise BadRequest(f"{name} is 0 or 1.")
        return value == "1"

    def milliseconds(self, name: str) -> int | None:
        """An instant as Unix ms, None where it isn't given. Raises `BadRequest`."""
        value = self.query.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,16}", value) or int(value) > MAX_MS:
            raise BadRequest(f"{name} is an instant in Unix milliseconds.")
        return int(value)

    @property
    def wants_transcoding(self) -> bool:
        """Whether what the browser can't play is to be converted."""
        return self.query.get("transcode", "0") not in ("", "0")

    async def start(self, status: int, headers: HeaderList) -> None:
        self.has_started = True
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *cors_headers(self.origin)],
            }
        )


async def wait_gone(receive: Any) -> None:
    """Until the other end has gone; what it says meanwhile is dropped."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


def parse_query(scope: dict[str, Any]) -> dict[str, str]:
    """Raises `BadRequest`."""
    raw = scope.get("query_string", b"")
    if len(raw) > MAX_QUERY_BYTES:
        raise BadRequest("The query is too long.")
    try:
        return dict(parse_qsl(raw.decode("ascii"), max_num_fields=20))
    except ValueError as err:
        raise BadRequest("The query makes no sense.") from err


async def send_bytes(request: Request, status: int, kind: bytes, content: bytes, headers: HeaderList = ()) -> None:
    await request.start(
        status,
        [(b"content-type", kind), (b"content-length", b"%d" % len(content)), *headers, *SAFE_HEADERS],
    )
    await request.send({"type": "http.response.body", "body": b"" if request.is_head else content})


async def send_json(request: Request, status: int, content: Any, headers: HeaderList = ()) -> None:
    await send_bytes(request, status, b"application/json", json.dumps(content).encode(), headers)


async def send_error(
    request: Request, status: int, code: str, detail: str, headers: HeaderList = (), **more: Any
) -> None:
    kind = "client_error" if status < 500 else "server_error"
    errors = [{"code": code, "detail": detail, "attr": None}]
    await send_json(request, status, {"type": kind, "errors": errors, **more}, headers)

"""Answers made of a `Body`: `Range`, `If-Range`, `HEAD`, and a transfer in constant memory (RFC 9110 section 14)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from recorder.archive.body import Body
from recorder.media.origin import SAFE_HEADERS
from recorder.media.request import HeaderList, Request, send_bytes

P = ParamSpec("P")
T = TypeVar("T")

_READERS = ThreadPoolExecutor(8, thread_name_prefix="read")
"""Enough to keep a disk busy; a hanging disk must not eat the loop's default pool."""


class RangeNotSatisfiable(Exception):
    pass


def parse_range(value: str | None, length: int) -> tuple[int, int] | None:
    """`[start, end)` of a single byte range; None to send everything: no range asked for, one that makes no sense, or
    several. Raises `RangeNotSatisfiable`."""
    match = re.fullmatch(r"\s*bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", value or "", re.IGNORECASE)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0 or length == 0:
            raise RangeNotSatisfiable
        return max(0, length - int(last)), length
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= length:
        raise RangeNotSatisfiable
    return start, min(length, int(last) + 1) if last else length


async def in_thread(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Like `asyncio.to_thread`, on the reading threads."""
    return await asyncio.get_running_loop().run_in_executor(_READERS, lambda: function(*arguments, **options))


async def iter_body(body: Body, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
    pieces = body.iter_bytes(start, end)
    try:
        while (piece := await in_thread(next, pieces, None)) is not None:
            yield piece
    finally:
        with suppress(ValueError):  # cancelled in the middle of a read: the thread still has it
            pieces.close()


async def send_body(
    request: Request, body: Body, kind: bytes, headers: HeaderList = (), etag: str | None = None
) -> None:
    """200 or 206 with the bytes, or 416."""
    tag = f'"{etag}"' if etag else None
    base = [(b"content-type", kind), (b"accept-ranges", b"bytes"), *headers, *SAFE_HEADERS]
    if tag:
        base.append((b"etag", tag.encode()))
    wanted = request.header(b"range")
    if_range = request.header(b"if-range")
    if if_range is not None and if_range != tag:
        wanted = None  # another representation: send all of this one
    try:
        span = parse_range(wanted, body.length)
    except RangeNotSatisfiable:
        await send_bytes(request, 416, b"text/plain", b"", [(b"content-range", b"bytes */%d" % body.length)])
        return
    start, end = span or (0, body.length)
    base.append((b"content-length", b"%d" % (end - start)))
    if span is not None:
        base.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, body.length)))
    pieces = iter_body(body, start, end)
    try:
        # The first read comes before the status: what is gone by now gets a clean answer.
        first = b"" if request.is_head else await anext(pieces, b"")
        await request.start(206 if span is not None else 200, base)
        await request.send({"type": "http.response.body", "body": first, "more_body": not request.is_head})
        if request.is_head:
            return
        async for piece in pieces:
            await request.send({"type": "http.response.body", "body": piece, "more_body": True})
        await request.send({"type": "http.response.body", "body": b""})
    finally:
        await pieces.aclose()

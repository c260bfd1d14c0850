"""Tells a running simulator what shall go wrong: one line, one fault, one answer.

Lines are faults in the notation of `faults.parse_fault` (`2:stall@5s,10s`, `*:reset`), or `frames` and
`viewers` for figures. Answers are `ok`, `ok NUMBER` or `error SENTENCE`. Read from standard input
(`--control -`) or a unix socket (`--control PATH`), in the server's loop.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import BinaryIO

from .faults import parse_fault
from .server import SimServer

MAX_LINE_BYTES = 4096


def carry_out(server: SimServer, line: str) -> str:
    if line == "frames":
        return f"ok {server.frames_sent()}"
    if line == "viewers":
        return f"ok {server.viewers()}"
    try:
        fault = parse_fault(line)
        server.inject(fault.camera, line, fault.stream)
    except ValueError as err:
        return f"error {err}"
    return "ok"


async def serve_lines(server: SimServer, reader: asyncio.StreamReader, write: BinaryIO | asyncio.StreamWriter) -> None:
    """Until the other side closes."""
    while line := await reader.readline():
        text = line.decode("utf-8", "replace").strip()
        if text:
            write.write(carry_out(server, text).encode() + b"\n")
            flushed = write.drain() if isinstance(write, asyncio.StreamWriter) else write.flush()
            if flushed is not None:
                await flushed


async def serve_standard_input(server: SimServer) -> None:
    """Returns at end of input: whoever started the simulator is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    await serve_lines(server, reader, sys.stdout.buffer)


async def listen(server: SimServer, path: Path) -> asyncio.Server:
    """A unix socket of mode 0600 at `path`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve_lines(server, reader, writer)
        finally:
            writer.close()

    path.unlink(missing_ok=True)
    listening = await asyncio.start_unix_server(serve, path, limit=MAX_LINE_BYTES)
    path.chmod(0o600)
    return listening

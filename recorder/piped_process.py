"""A child process whose stdin and stdout are pipes: asyncio's, with the pipes known to be there.

For the media service's children (ffmpeg, picture decoders) and whoever else talks to a process by pipes.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PipedProcess:
    process: asyncio.subprocess.Process
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader

    async def end(self) -> None:
        """Kill it, if it still runs, and wait until it is gone. Cancelled meanwhile, it is reaped all the same."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.stdin.close()
        await asyncio.shield(asyncio.ensure_future(self.process.wait()))


async def start_piped(*arguments: str, stderr: int = asyncio.subprocess.DEVNULL) -> PipedProcess:
    """`stderr`: where complaints go; with PIPE to `process.stderr`. Raises `OSError`."""
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr
    )
    if process.stdin is None or process.stdout is None:
        raise OSError("a child process came without its pipes")
    return PipedProcess(process, process.stdin, process.stdout)

"""SRT for the libav child: PyAV's build of libav knows no SRT, the ffmpeg program does, so it receives and hands on
MPEG-TS by a pipe.

The address goes to ffmpeg's standard input as a one-line script (ffconcat), for it may hold a passphrase and an
argument list can be read by anybody on the machine.
"""

from __future__ import annotations

import subprocess
from typing import Any
from urllib.parse import quote

from recorder.ffmpeg_binary import find_ffmpeg_binary


class SrtUnavailable(Exception):
    """There is no ffmpeg on this machine."""


def start_srt(request: dict[str, Any]) -> subprocess.Popen[bytes]:
    """ffmpeg as SRT caller of the request's address; MPEG-TS comes on its standard output. It ends when that pipe
    does. The password is the passphrase. Raises `SrtUnavailable`, `OSError`."""
    binary = find_ffmpeg_binary()
    if binary is None:
        raise SrtUnavailable
    process = subprocess.Popen(
        [binary, "-hide_banner", "-loglevel", "quiet", "-protocol_whitelist", "srt,udp,pipe,fd",
         "-f", "concat", "-safe", "0", "-i", "pipe:0", "-map", "0", "-c", "copy", "-copyts",
         "-flush_packets", "1", "-f", "mpegts", "pipe:1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    if process.stdin is not None:
        process.stdin.write(f"ffconcat version 1.0\nfile '{quoted(srt_url(request))}'\n".encode())
        process.stdin.close()
    return process


def srt_url(request: dict[str, Any]) -> str:
    """With mode and passphrase; exists only on its way to ffmpeg. May not be logged."""
    host = f"[{request['ip']}]" if ":" in request["ip"] else request["ip"]
    path, _, query = request["path"].partition("?")
    settings = [part for part in query.split("&") if part and not part.startswith("mode=")]
    if request["password"]:
        settings = [part for part in settings if not part.startswith("passphrase=")]
        settings.append(f"passphrase={quote(request['password'], safe='')}")
    return f"srt://{host}:{request['port']}{path if path != '/' else ''}?{'&'.join(['mode=caller', *settings])}"


def quoted(text: str) -> str:
    """For the inside of an ffconcat string in single quotes (FFmpeg utilities, quoting and escaping)."""
    return text.replace("'", "'\\''")

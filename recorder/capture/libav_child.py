"""The child process of `LibavSource`: demuxes one stream with libav and hands samples to its parent over
standard output.

The only module of capture that loads libav. The request (address, credentials) comes as one JSON line on
standard input; end of input means stop. libav's log is silenced, for it prints addresses with passwords; HTTP
goes through `PinnedProxy`, so neither a redirect nor a playlist leads to another host.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import threading
from typing import Any
from urllib.parse import quote

import av
import av.logging

from recorder.capture.libav_packets import AudioReader, VideoReader
from recorder.capture.libav_wire import AUDIO, ERROR, PARAMETERS, VIDEO, pack, pack_json
from recorder.capture.pinned_proxy import PinnedProxy
from recorder.capture.srt_input import start_srt
from recorder.errors import ErrorCode

PROTOCOLS = {
    "http": "http,tcp,httpproxy,crypto",
    "https": "https,http,tls,tcp,httpproxy,crypto",
    "rtmp": "rtmp,tcp",
}
"""libav may open nothing else: no file, concat, data, pipe or subfile from whatever a camera sends."""
PROBE_OPTIONS = {"analyzeduration": "3000000", "probesize": "2000000"}
IO_TIMEOUT_US = 8_000_000
MEMORY_BYTES = 2 << 30
PR_SET_PDEATHSIG = 1


def open_options(scheme: str) -> dict[str, str]:
    options = {"protocol_whitelist": PROTOCOLS[scheme], "rw_timeout": str(IO_TIMEOUT_US), **PROBE_OPTIONS}
    if scheme in ("http", "https"):
        options["reconnect"] = "0"
    return options


def stream_url(request: dict[str, Any]) -> str:
    """The address with credentials; exists only in this process. May not be logged."""
    login = ""
    if request["username"]:
        login = f"{quote(request['username'], safe='')}:{quote(request['password'], safe='')}@"
    is_http = request["scheme"] in ("http", "https")
    host = request["host"] if is_http else request["ip"]  # the proxy pins HTTP
    if ":" in host:
        host = f"[{host}]"
    return f"{request['scheme']}://{login}{host}:{request['port']}{request['path']}"


def error_code(err: BaseException) -> ErrorCode:
    """libav's error as ours, by its kind alone."""
    name = type(err).__name__
    by_name = {
        "HTTPUnauthorizedError": ErrorCode.UNAUTHORIZED,
        "HTTPForbiddenError": ErrorCode.UNAUTHORIZED,
        "HTTPNotFoundError": ErrorCode.NOT_FOUND,
        "ConnectionRefusedError": ErrorCode.REFUSED,
        "TimeoutError": ErrorCode.TIMEOUT,
        "EOFError": ErrorCode.CLOSED,
        "InvalidDataError": ErrorCode.BAD_STREAM,
        "HTTPServerError": ErrorCode.BUSY,
        "ConnectionResetError": ErrorCode.CLOSED,
        "ExitError": ErrorCode.CLOSED,
    }
    if name in by_name:
        return by_name[name]
    return ErrorCode.UNREACHABLE if isinstance(err, OSError) else ErrorCode.BAD_STREAM


def demux(request: dict[str, Any], write: Any) -> ErrorCode:
    """Send samples until the stream ends; the reason."""
    proxy = None
    if request["scheme"] in ("http", "https"):
        proxy = PinnedProxy(request["host"], request["port"], request["ip"])
        os.environ["http_proxy"] = f"http://127.0.0.1:{proxy.start()}"
    try:
        if request["scheme"] == "srt":
            return _demux_srt(request, write)
        with av.open(stream_url(request), options=open_options(request["scheme"]), timeout=(10.0, 10.0)) as container:
            return _demux(container, write)
    except Exception as err:
        if proxy is not None and proxy.has_refused:
            return ErrorCode.REDIRECTED
        if proxy is not None and proxy.was_refused:
            return ErrorCode.REFUSED
        return error_code(err)


def _demux_srt(request: dict[str, Any], write: Any) -> ErrorCode:
    receiver = start_srt(request)
    try:
        with av.open(receiver.stdout, format="mpegts", options=PROBE_OPTIONS) as container:
            return _demux(container, write)
    except av.FFmpegError:
        # Nothing that could be read came: SRT tells neither a refusal nor a wrong passphrase from silence.
        return ErrorCode.UNREACHABLE
    finally:
        receiver.kill()
        receiver.wait()


def _demux(container: Any, write: Any) -> ErrorCode:
    if not container.streams.video:
        return ErrorCode.NO_VIDEO
    video = VideoReader.of(container.streams.video[0])
    if video is None:
        return ErrorCode.UNKNOWN_CODEC
    audio = AudioReader.of(container.streams.audio[0]) if container.streams.audio else None
    streams = [container.streams.video[0], *([container.streams.audio[0]] if audio else [])]
    announced: dict[str, Any] | None = None
    for packet in container.demux(streams):
        if not packet.size:
            continue
        if packet.stream.type == "video":
            sample = video.read(packet)
            facts = {**video.facts(), **(audio.facts() if audio else {})}
            if (
                sample is not None
                and facts != announced
                and video.is_ready
                and (audio is None or audio.is_ready or announced is None)
            ):
                announced = facts
                write(
                    pack_json(
                        PARAMETERS,
                        {**facts, "picture": sample[:4096].hex() if video.codec == "mjpeg" else ""},
                    )
                )
            if sample is not None and announced is not None:
                write(pack(VIDEO, sample, video.timestamp(packet), is_keyframe=video.is_keyframe))
        elif audio is not None:
            unit = audio.read(packet)
            if unit is not None and announced is not None and "audio_codec" in announced:
                write(pack(AUDIO, unit, audio.timestamp(packet), audio.duration(unit)))
    return ErrorCode.CLOSED


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    av.logging.set_level(None)
    request = json.loads(sys.stdin.buffer.readline(65536))
    out = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(2, 1)  # a library that prints must not break the stream of samples

    def write(message: bytes) -> None:
        out.write(message)
        out.flush()

    def work() -> None:
        try:
            write(pack_json(ERROR, {"code": str(demux(request, write))}))
        except OSError:
            pass
        os._exit(0)

    threading.Thread(target=work, name="demux", daemon=True).start()
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

"""A camera that isn't RTSP (HTTP MJPEG, RTMP, HLS, SRT), read by libav in a process of its own.

Same interface as `RtspSource`. The address is checked and resolved here; the child gets it with the
credentials over its standard input, never in an argument. Whatever libav does, it costs this stream: the
child is killed when it stops, grows or hangs, and it ends by itself when this process is gone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from recorder.capture.libav_wire import AUDIO, ERROR, HEAD, MAX_PAYLOAD_BYTES, PARAMETERS, VIDEO
from recorder.codecs import aac_parameters, mjpeg_parameters, video_parameters
from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy, parse_camera_url
from recorder.samples import AudioParameters, SampleSink, VideoParameters

OPEN_TIMEOUT_S = 12.0
STALL_S = 10.0
"""HLS delivers whole segments at a time, so silence is normal for longer than with RTSP."""
KILL_AFTER_S = 0.5


class LibavSource:
    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        policy: AddressPolicy,
        sink: SampleSink,
        *,
        stall_s: float = STALL_S,
    ) -> None:
        self._url = url
        self._username = username
        self._password = password
        self._policy = policy
        self._sink = sink
        self._stall_s = stall_s

    async def run(self) -> None:
        """Deliver until the camera is lost (raises `CameraError`) or the task is cancelled."""
        address = parse_camera_url(self._url)
        ip = await self._policy.resolve(address.host, address.port)
        peer = f"{address.host}:{address.port}"
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "recorder.capture.libav_child",
            cwd=Path(__file__).parents[2],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            request = {
                "scheme": address.scheme,
                "host": address.host,
                "ip": str(ip),
                "port": address.port,
                "path": address.path,
                "username": self._username,
                "password": self._password,
            }
            child.stdin.write(json.dumps(request).encode() + b"\n")
            await child.stdin.drain()
            await self._read(child.stdout, peer)
        except (ConnectionError, asyncio.IncompleteReadError) as err:
            raise CameraError(ErrorCode.CLOSED, f"The connection to {peer} ended.") from err
        finally:
            child.stdin.close()
            try:
                await asyncio.wait_for(child.wait(), KILL_AFTER_S)
            except (TimeoutError, asyncio.CancelledError):
                child.kill()
                await child.wait()

    async def _read(self, stream: asyncio.StreamReader, peer: str) -> None:
        timeout_s = OPEN_TIMEOUT_S
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    head = await stream.readexactly(HEAD.size)
                    kind, length, timestamp, duration, is_keyframe = HEAD.unpack(head)
                    if length > MAX_PAYLOAD_BYTES:
                        raise CameraError(ErrorCode.BAD_STREAM, f"{peer} sent a frame of more than 16 MB.")
                    payload = await stream.readexactly(length)
            except TimeoutError as err:
                if timeout_s == OPEN_TIMEOUT_S:
                    raise CameraError(ErrorCode.TIMEOUT, f"{peer} sent no video within {timeout_s:g} s.") from err
                raise CameraError(ErrorCode.STALLED, f"{peer} sent nothing for {timeout_s:g} s.") from err
            if kind == VIDEO:
                timeout_s = self._stall_s
                self._sink.on_video(payload, timestamp, bool(is_keyframe), time.monotonic_ns())
            elif kind == AUDIO:
                self._sink.on_audio(payload, timestamp, duration, time.monotonic_ns())
            elif kind == PARAMETERS:
                self._sink.on_parameters(*read_parameters(payload, peer))
            elif kind == ERROR:
                raise read_error(payload, peer)


def read_parameters(payload: bytes, peer: str) -> tuple[VideoParameters | None, AudioParameters | None]:
    """Raises `CameraError` for parameters that can't be used."""
    try:
        content = json.loads(payload)
        codec, sets = content["video_codec"], [bytes.fromhex(text) for text in content["parameter_sets"]]
        if codec == "mjpeg":
            video = mjpeg_parameters(bytes.fromhex(content["picture"]))
        else:
            video = video_parameters(codec, sets)
        audio = None
        if content.get("audio_codec") == "aac":
            audio = aac_parameters(bytes.fromhex(content["audio_config"]))
        elif content.get("audio_codec") in ("pcma", "pcmu"):
            audio = AudioParameters(content["audio_codec"], int(content["sample_rate_hz"]), int(content["channels"]))
    except (ValueError, KeyError, TypeError) as err:
        raise CameraError(ErrorCode.BAD_STREAM, f"The stream of {peer} can't be understood.") from err
    return video, audio


def read_error(payload: bytes, peer: str) -> CameraError:
    """The child's error; its own words don't pass, for they may hold the address with its password."""
    sentences = {
        ErrorCode.REFUSED: f"{peer} refused the connection.",
        ErrorCode.UNREACHABLE: f"{peer} can't be reached.",
        ErrorCode.TIMEOUT: f"{peer} didn't answer in time.",
        ErrorCode.UNAUTHORIZED: f"{peer} refused the user name or the password.",
        ErrorCode.NOT_FOUND: f"{peer} has no stream at this path.",
        ErrorCode.REDIRECTED: f"{peer} sends us to another host, which isn't followed.",
        ErrorCode.BUSY: f"{peer} serves no further viewer.",
        ErrorCode.NO_VIDEO: f"The stream of {peer} has no video.",
        ErrorCode.UNKNOWN_CODEC: f"The stream of {peer} has a codec that can't be recorded.",
        ErrorCode.CLOSED: f"The stream of {peer} ended.",
    }
    try:
        content = json.loads(payload)
        code = ErrorCode(content["code"])
    except (ValueError, KeyError, TypeError):
        code = ErrorCode.BAD_STREAM
    permanent = (ErrorCode.UNAUTHORIZED, ErrorCode.NO_VIDEO, ErrorCode.UNKNOWN_CODEC, ErrorCode.REDIRECTED)
    return CameraError(
        code, sentences.get(code, f"The stream of {peer} can't be read."), is_permanent=code in permanent
    )

"""The simulator: many cameras behind one RTSP port, each with a main and a sub stream at `/<n>/main`
and `/<n>/sub`.

Runs in one event loop, in a process of its own (`python -m recorder.simcam`) or in a test's. Clips are
shared between cameras, so memory grows with clips, not with cameras.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .auth import Credentials
from .clip import Clip
from .connection import RtspConnection
from .faults import LASTING, Fault, FaultState, parse_fault, parse_jumps
from .ledger import Ledger
from .stream import SimStream

logger = logging.getLogger(__name__)

SESSION_TIMEOUT_S = 60.0
_GOLDEN_RATIO = 0.618034  # spreads any number of phases evenly


@dataclass(slots=True)
class SimCamera:
    """What one simulated camera sends: a clip for each stream. `credentials` None needs no password."""

    streams: dict[str, Clip]
    credentials: Credentials | None = None
    quirks: frozenset[str] = frozenset()
    initial_timestamp: int | None = None
    """Where the video's RTP timestamps begin; None is random. Near 2**32 they wrap soon."""
    name: str = ""


@dataclass(slots=True)
class _Camera:
    settings: SimCamera
    streams: dict[str, SimStream] = field(default_factory=dict)


SwitchClip = Callable[[Clip, str, str], Awaitable[Clip]]
"""Makes another form of a clip: (clip, `codec` or `size`, wanted) -> clip. Raises `ValueError`."""


class SimServer:
    """`await start()`, then `port` is known; `await stop()` closes every connection. Camera numbers begin with 1."""

    def __init__(
        self,
        host: str,
        port: int,
        cameras: Sequence[SimCamera],
        *,
        ledger: Ledger | None = None,
        session_timeout_s: float = SESSION_TIMEOUT_S,
        switch_clip: SwitchClip | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.session_timeout_s = session_timeout_s
        self.connections: set[RtspConnection] = set()
        self._ledger = ledger
        self._switch_clip = switch_clip
        self._server: asyncio.Server | None = None
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._cameras: list[_Camera] = []
        self._by_path: dict[str, SimStream] = {}
        self._owners: dict[SimStream, _Camera] = {}
        for number, settings in enumerate(cameras, 1):
            self._add_camera(number, settings)

    def _add_camera(self, number: int, settings: SimCamera) -> None:
        camera = _Camera(settings)
        for position, (name, clip) in enumerate(settings.streams.items()):
            phase = ((number + position / 2) * _GOLDEN_RATIO) % 1
            stream = SimStream(f"{number}/{name}", clip, FaultState(), self._ledger, phase)
            if settings.initial_timestamp is not None:
                stream.video.base = settings.initial_timestamp
            camera.streams[name] = stream
            self._by_path[stream.name] = stream
            self._owners[stream] = camera
        self._cameras.append(camera)

    # Life

    async def start(self) -> None:
        """Raises `OSError` where the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: RtspConnection(self), self.host, self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        self._start_task(self._watch())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._server is not None:
            self._server.close()
        for stream in self._by_path.values():
            stream.stop()
        for connection in list(self.connections):
            connection.close(is_reset=True)
        for sock in self._sockets or ():
            asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1)
        if self._ledger is not None:
            self._ledger.flush()

    def _start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        """Each second: session timeouts, and the ledger to its file."""
        while True:
            await asyncio.sleep(1)
            for connection in list(self.connections):
                connection.drop_if_silent(time.monotonic())
            if self._ledger is not None:
                self._ledger.flush()

    # What connections ask

    def url(self, camera: int, stream: str = "main") -> str:
        """Without user and password."""
        return f"rtsp://{self.host}:{self.port}/{camera}/{stream}"

    def find_stream(self, path: str) -> tuple[SimStream | None, str]:
        """The stream of a URL's path, and what follows its name (the track's control)."""
        parts = path.strip("/").split("/")
        return self._by_path.get("/".join(parts[:2])), "/".join(parts[2:])

    def credentials_of(self, stream: SimStream) -> Credentials | None:
        return self._owners[stream].settings.credentials

    def quirks_of(self, stream: SimStream) -> frozenset[str]:
        return self._owners[stream].settings.quirks

    def datagram_sockets(self) -> tuple[socket.socket, socket.socket]:
        """RTP and RTCP, one pair for all viewers, on an even port and the next one (RFC 3550 11)."""
        if self._sockets is None:
            self._sockets = _bind_pair(self.host)
            for sock in self._sockets:
                asyncio.get_running_loop().add_reader(sock.fileno(), _discard, sock)
        return self._sockets

    def datagram_ports(self) -> tuple[int, int]:
        rtp, rtcp = self.datagram_sockets()
        return rtp.getsockname()[1], rtcp.getsockname()[1]

    # Faults

    def inject(self, camera: int | None, fault: str, stream: str | None = None) -> None:
        """`fault` in the notation of `faults.parse_fault`; `camera` None is every camera.

        Returns at once; a lasting fault shows with the next frame or request. Raises `ValueError`."""
        parsed = parse_fault(fault)
        camera = camera if parsed.camera is None else parsed.camera
        if camera is not None and not 1 <= camera <= len(self._cameras):
            raise ValueError(f"no camera {camera}: there are {len(self._cameras)}")
        self.plan(
            Fault(
                parsed.name,
                parsed.arguments,
                camera,
                stream or parsed.stream,
                parsed.start_s,
                parsed.length_s,
            )
        )

    def plan(self, fault: Fault) -> None:
        """Applies a fault now, or at its time after this call."""
        if fault.start_s:
            self._start_task(self._apply_at(fault))
        else:
            self._apply(fault)

    async def _apply_at(self, fault: Fault) -> None:
        await asyncio.sleep(fault.start_s)
        self._apply(fault)

    async def _lift_at(self, fault: Fault, length_s: float) -> None:
        await asyncio.sleep(length_s)
        for stream in self._streams_of(fault):
            stream.faults.active.pop(fault.name, None)

    def _streams_of(self, fault: Fault) -> list[SimStream]:
        cameras = self._cameras if fault.camera is None else self._cameras[fault.camera - 1 : fault.camera]
        return [stream for camera in cameras for name, stream in camera.streams.items() if fault.stream in (None, name)]

    def _apply(self, fault: Fault) -> None:
        streams = self._streams_of(fault)
        logger.info("fault %s on %s", fault.name, ", ".join(stream.name for stream in streams))
        for stream in streams:
            if fault.name in LASTING:
                stream.faults.active[fault.name] = fault.arguments
            elif fault.name == "resume":
                for name in fault.arguments or tuple(stream.faults.active):
                    stream.faults.active.pop(name, None)
            elif fault.name == "timestamp":
                stream.tamper.plan_jumps(parse_jumps(fault.arguments))
            elif fault.name == "wrap":
                stream.tamper.wrap_soon(float(fault.arguments[0]) if fault.arguments else 2.0)
            elif fault.name in ("codec", "size"):
                self._start_task(self._switch(stream, fault))
        for connection in list(self.connections):
            if connection.stream in streams:
                if fault.name in ("reset", "close"):
                    connection.close(is_reset=fault.name == "reset")
                elif fault.name == "giant-length":
                    connection.break_in()
        if fault.name in LASTING and fault.length_s is not None:
            self._start_task(self._lift_at(fault, fault.length_s))

    async def _switch(self, stream: SimStream, fault: Fault) -> None:
        if self._switch_clip is None:
            logger.error("clips of this server can't be changed")
            return
        try:
            clip = await self._switch_clip(stream.clip, fault.name, fault.arguments[0])
        except ValueError as err:
            logger.error("%s: %s", stream.name, err)
            return
        stream.replace_clip(clip)
        if fault.name == "codec" or "new-session" in fault.arguments:
            for connection in list(self.connections):
                if connection.stream is stream:
                    connection.close()

    # Figures

    def frames_sent(self) -> int:
        return sum(stream.frames_sent for stream in self._by_path.values())

    def viewers(self) -> int:
        return sum(len(stream.viewers) for stream in self._by_path.values())


def _bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(50):
        rtp = socket.socket(family, socket.SOCK_DGRAM)
        rtcp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                for sock in (rtp, rtcp):
                    sock.setblocking(False)
                rtp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
                return rtp, rtcp
        except OSError:
            pass
        rtp.close()
        rtcp.close()
    raise OSError("no pair of UDP ports is free")


def _discard(sock: socket.socket) -> None:
    """Receiver reports and hole punching: read so that the buffer stays empty."""
    with contextlib.suppress(OSError):
        sock.recv(2048)

"""A camera's stream as samples: `RtspSource` connects, delivers to a `SampleSink`, and raises when it ends.

Run by capture, one task per stream; capture decides when to try again. One timer a second serves keep-alive,
receiver reports and the packet watchdog.
"""

from __future__ import annotations

import asyncio
import time

from recorder.errors import CameraError
from recorder.netguard import AddressPolicy
from recorder.samples import SampleSink

from .failures import internal, no_reply, stalled
from .session import RtspSession
from .target import RtspTarget

STALL_S = 5.0
"""Without a packet of video for so long, the stream counts as dead. Sane: 2 to 60."""

HANDSHAKE_TIMEOUT_S = 9.5
"""From the first step to PLAY answered, so that a person hears within 10 s."""

_REPORT_EVERY_S = 5.0


class RtspSource:
    """One connection's life. `is_playing` and `connected_ns` (monotonic) are for status."""

    def __init__(
        self,
        target: RtspTarget,
        policy: AddressPolicy,
        sink: SampleSink,
        *,
        stall_s: float = STALL_S,
        handshake_timeout_s: float = HANDSHAKE_TIMEOUT_S,
    ) -> None:
        self._target = target
        self._policy = policy
        self._sink = sink
        self._stall_s = stall_s
        self._handshake_timeout_s = handshake_timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._expected = -1
        self._progress_ns = self._keep_alive_ns = self._report_ns = 0
        self.is_playing = False
        self.connected_ns: int | None = None

    async def run(self) -> None:
        """Deliver until the connection ends. Raises `CameraError`; on cancellation says TEARDOWN and is gone
        within half a second. May be called again after it raised."""
        self._expected = -1
        session = RtspSession(self._target, self._policy, self._sink)
        try:
            try:
                async with asyncio.timeout(self._handshake_timeout_s):
                    await session.open()
                    await session.play()
            except TimeoutError as err:
                raise no_reply(session.peer, "in full", self._handshake_timeout_s) from err
            self.is_playing = True
            now_ns = time.monotonic_ns()
            self.connected_ns = self._progress_ns = self._keep_alive_ns = self._report_ns = now_ns
            self._arm(session)
            raise await session.connection.ended
        finally:
            self.is_playing = False
            if self._timer is not None:
                self._timer.cancel()
            await session.close()

    def _arm(self, session: RtspSession) -> None:
        self._timer = asyncio.get_running_loop().call_later(min(1.0, self._stall_s / 4), self._tick, session)

    def _tick(self, session: RtspSession) -> None:
        connection, tracks = session.connection, session.tracks
        if connection.ended.done():
            return
        try:
            for track in tracks.all():
                track.tick()
            now_ns = time.monotonic_ns()
            expected = tracks.video.rtp.expected
            if expected != self._expected:
                self._expected = expected
                self._progress_ns = now_ns
            elif now_ns - self._progress_ns > self._stall_s * 1e9:
                raise stalled(connection.peer, self._stall_s, self._target.transport)
            if now_ns - self._keep_alive_ns > session.keep_alive_s * 1e9:
                self._keep_alive_ns = now_ns
                session.send_keep_alive()
            if now_ns - self._report_ns > _REPORT_EVERY_S * 1e9:
                self._report_ns = now_ns
                session.send_reports()
        except CameraError as err:
            connection.end(err)
        except Exception as err:
            failure = internal(connection.peer)
            failure.__cause__ = err
            connection.end(failure)
        else:
            self._arm(session)

"""One stream's life in a shard: connect, record, lose, wait, connect again.

A task of the shard for each `StreamSpec`; nothing of it reaches another stream. Waits between attempts grow
from 1 to 30 s with jitter; after 10 good seconds a drop is answered at once; what can't get better by itself
(a wrong password) is tried once a minute, so that no camera locks us out.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Protocol

from recorder.capture.desired import StreamSpec
from recorder.capture.gaps import CAUSE_OF_CODE, state_of
from recorder.capture.rates import RateMeter
from recorder.capture.recording import Recorder, Surroundings, ticks_to_ns
from recorder.capture.status import StreamStatus
from recorder.causes import EndReason, GapCause
from recorder.errors import CameraError, ErrorCode
from recorder.samples import SampleSink

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
PERMANENT_WAIT_S = 60.0
QUICK_WAIT_S = 0.1
GOOD_S = 10.0
JITTER = 0.25

log = logging.getLogger("capture.stream")


class Source(Protocol):
    async def run(self) -> None: ...


class ConnectGate:
    """At most `per_second` starts for the whole shard, in the order of asking."""

    def __init__(self, per_second: float) -> None:
        self._distance_s = 1 / per_second
        self._next_s = 0.0

    async def wait(self) -> None:
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._distance_s
        if turn_s > now_s:
            await asyncio.sleep(turn_s - now_s)


class Backoff:
    """How long to wait before the next attempt. Pure but for the jitter's random numbers."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 (spreads load, guards nothing)
        self._attempt = 0

    def after(self, error: CameraError, good_s: float) -> float:
        """Seconds to wait after an attempt that recorded for `good_s` and ended with `error`."""
        if error.is_permanent:
            return PERMANENT_WAIT_S * (1 + JITTER * self._rng.random())
        if good_s >= GOOD_S:
            self._attempt = 0
            return QUICK_WAIT_S * self._rng.random()
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._attempt, 10))
        self._attempt += 1
        return max(FIRST_WAIT_S, wait_s * (1 - JITTER * self._rng.random()))


class StreamTask:
    """Made and ended by the shard; `status` is what it shows."""

    def __init__(
        self,
        spec: StreamSpec,
        surroundings: Surroundings,
        gate: ConnectGate,
        make_source: Callable[[StreamSpec, SampleSink], Source],
    ) -> None:
        self.spec = spec
        self.status = StreamStatus(spec.key, spec.camera, spec.stream, since_ns=surroundings.wall.now_ns())
        self.recorder = Recorder(spec, self.status, surroundings, fail=self._fail)
        self.end_reason = EndReason.STOPPED
        self.is_shutdown = False
        self._surroundings = surroundings
        self._gate = gate
        self._make_source = make_source
        self._meter = RateMeter()
        self._failure: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, covered_until_ns: int, cause: GapCause, detail: str) -> None:
        """Begin with a gap from `covered_until_ns`, closed by the first recorded frame."""
        self.recorder.gaps.open(covered_until_ns, cause, detail, is_preliminary=True)
        self._task = asyncio.create_task(self.run(), name=self.spec.key)

    async def stop(self, reason: EndReason, *, is_shutdown: bool = False, timeout_s: float = 3.0) -> None:
        """End the connection and the run; returns when the stream's last segment was handed to its volume."""
        self.end_reason, self.is_shutdown = reason, is_shutdown
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=timeout_s)
        # What arrived up to now is recorded; the source may still be saying goodbye.
        self.recorder.disconnect(reason, None, "", is_shutdown=is_shutdown)
        self.recorder.gaps.close(self._surroundings.wall.now_ns())

    async def run(self) -> None:
        backoff = Backoff()
        while True:
            await self._gate.wait()
            error = await self._attempt()
            recorder = self.recorder
            good_s = time.monotonic() - recorder.good_since_s if recorder.good_since_s else 0.0
            wait_s = backoff.after(error, good_s)
            cause = CAUSE_OF_CODE.get(error.code, GapCause.UNKNOWN)
            recorder.disconnect(EndReason.LOST, cause, str(error), is_preliminary=error.code == ErrorCode.CLOSED)
            self._show(error, wait_s)
            self.status.reconnects += 1
            await asyncio.sleep(wait_s)

    async def _attempt(self) -> CameraError:
        """One connection, until its error."""
        self.status.connected_ns = None
        self._failure = asyncio.get_running_loop().create_future()
        try:
            source = self._make_source(self.spec, self.recorder)
            running = asyncio.ensure_future(source.run())
            try:
                await asyncio.wait({running, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not running.done():
                    running.cancel()
                    await asyncio.wait({running}, timeout=2)
            if self._failure.done():
                self._failure.result()
            running.result()
        except CameraError as err:
            return err
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return CameraError(ErrorCode.INTERNAL, "The connection was given up.")
        except Exception:
            log.exception("%s: the source failed unexpectedly", self.spec.key)
            return CameraError(ErrorCode.INTERNAL, "The recorder failed on this stream; the log has the details.")
        return CameraError(ErrorCode.CLOSED, "The camera closed the connection.")

    def _fail(self, error: CameraError) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _show(self, error: CameraError, wait_s: float) -> None:
        status = self.status
        now_ns = self._surroundings.wall.now_ns()
        state, detail = state_of(error.code), str(error)
        if (status.state, status.state_detail) != (state, detail):
            log.warning("%s: %s (%s) %s", self.spec.key, state, error.code, detail)
            status.since_ns = now_ns
        status.state, status.state_detail, status.error_code = state, detail, str(error.code)
        status.connected_ns = None
        status.retry_at_ns = now_ns + int(wait_s * 1e9)
        self._surroundings.on_change()

    def sample(self, now_s: float) -> StreamStatus:
        """Bring the status up to date; called once a second."""
        recorder, status = self.recorder, self.status
        status.fps, status.bitrate_bps = self._meter.sample(now_s, recorder.frames, recorder.bytes)
        status.frames, status.bytes, status.gaps = recorder.frames, recorder.bytes, recorder.gaps.count
        status.last_frame_ns = ticks_to_ns(recorder.last_stamp) if recorder.last_stamp else None
        status.discontinuities = recorder.discontinuities
        if recorder.good_since_s is not None and status.connected_ns is None:
            age_s = now_s - recorder.good_since_s
            status.connected_ns = self._surroundings.wall.now_ns() - int(age_s * 1e9)
        return status

"""Time without footage, as the recorder of one stream tells the journal. Event loop only.

At most one gap of a stream is open. It is written when it opens, when its cause becomes known better, and
when the first recorded frame closes it; always under the same ID, so that the reader upserts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from recorder.capture.desired import StreamSpec
from recorder.causes import GapCause
from recorder.errors import ErrorCode

CAUSE_OF_CODE = {
    ErrorCode.REFUSED: GapCause.REFUSED,
    ErrorCode.UNAUTHORIZED: GapCause.UNAUTHORIZED,
    ErrorCode.BUSY: GapCause.BUSY,
    ErrorCode.STALLED: GapCause.STALLED,
    ErrorCode.NO_KEYFRAME: GapCause.NO_KEYFRAME,
    ErrorCode.BAD_STREAM: GapCause.BAD_STREAM,
    ErrorCode.NO_VIDEO: GapCause.BAD_STREAM,
    ErrorCode.UNKNOWN_CODEC: GapCause.BAD_STREAM,
    ErrorCode.NAME_NOT_FOUND: GapCause.UNREACHABLE,
    ErrorCode.UNREACHABLE: GapCause.UNREACHABLE,
    ErrorCode.TIMEOUT: GapCause.UNREACHABLE,
    ErrorCode.CLOSED: GapCause.UNREACHABLE,
    ErrorCode.TLS_FAILED: GapCause.UNREACHABLE,
    ErrorCode.NOT_FOUND: GapCause.REFUSED,
    ErrorCode.TRANSPORT_REFUSED: GapCause.REFUSED,
    ErrorCode.REDIRECTED: GapCause.REFUSED,
    ErrorCode.ADDRESS_NOT_ALLOWED: GapCause.REFUSED,
    ErrorCode.BAD_ADDRESS: GapCause.REFUSED,
    ErrorCode.BAD_SCHEME: GapCause.REFUSED,
}
"""Codes that aren't named have the cause `unknown`."""

STATE_OF_CAUSE = {
    GapCause.REFUSED: "refused",
    GapCause.UNAUTHORIZED: "unauthorized",
    GapCause.BUSY: "busy",
    GapCause.STALLED: "stalled",
    GapCause.UNREACHABLE: "unreachable",
}
STATE_OF_CODE = {ErrorCode.NO_VIDEO: "no_video", ErrorCode.UNKNOWN_CODEC: "unknown_codec"}


def state_of(code: ErrorCode) -> str:
    """The state of a stream whose last attempt ended with `code`."""
    return STATE_OF_CODE.get(code) or STATE_OF_CAUSE.get(CAUSE_OF_CODE.get(code, GapCause.UNKNOWN), "error")


class GapLedger:
    def __init__(self, spec: StreamSpec, journal: Callable[[str, dict[str, Any]], None]) -> None:
        self._spec = spec
        self._journal = journal
        self._payload: dict[str, Any] | None = None
        self._is_preliminary = False
        self.count = 0

    @property
    def is_open(self) -> bool:
        return self._payload is not None

    @property
    def cause(self) -> str | None:
        return self._payload["cause"] if self._payload else None

    def open(self, start_ns: int, cause: GapCause, detail: str, *, is_preliminary: bool = False) -> None:
        """Begin a gap; if one is open already it goes on and only its cause may become better known.

        `is_preliminary`: whatever is learnt next says more about the cause."""
        if self._payload is not None:
            if self._is_preliminary and cause != GapCause.UNKNOWN and cause != self._payload["cause"]:
                self._payload.update(cause=str(cause), detail=detail[:300])
                self._journal("gap", dict(self._payload))
                self._is_preliminary = is_preliminary
            return
        self.count += 1
        self._is_preliminary = is_preliminary
        self._payload = {
            "gap": str(uuid.uuid4()),
            "camera": self._spec.camera,
            "stream": self._spec.stream,
            "epoch": self._spec.epoch,
            "start_ns": start_ns,
            "end_ns": None,
            "cause": str(cause),
            "detail": detail[:300],
        }
        self._journal("gap", dict(self._payload))

    def close(self, end_ns: int) -> None:
        """The first frame after it was recorded (or the stream is no longer wanted)."""
        if self._payload is not None:
            self._payload["end_ns"] = max(end_ns, self._payload["start_ns"])
            self._journal("gap", self._payload)
            self._payload = None

    def note(self, start_ns: int, end_ns: int, cause: GapCause, detail: str) -> None:
        """A gap that is over already: a hole within a run."""
        if self._payload is None:
            self.open(start_ns, cause, detail)
            self.close(end_ns)

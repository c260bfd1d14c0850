"""Cameras as the pages show them: one row of words and tones per camera, made from `with_streams` rows.

Pure, but for the lazy read of what `with_streams` prefetched. Tones: ok, warn, bad, off, always with the same colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from vms.cameras.choices import RecordingMode, StreamKind, StreamState
from vms.cameras.models import Camera
from vms.cameras.states import describe_state, stream_of

TONES: dict[str, str] = {
    StreamState.RECORDING: "ok",
    StreamState.LIVE: "ok",
    StreamState.CONNECTING: "warn",
    StreamState.STALLED: "warn",
    StreamState.BUSY: "warn",
    StreamState.UNKNOWN: "warn",
    StreamState.DISABLED: "off",
    StreamState.STOPPED: "off",
}
"""Every other state is a failure: bad."""

CODEC_NAMES = {"h264": "H.264", "h265": "H.265", "mjpeg": "MJPEG"}
_ORDER = {"bad": 0, "warn": 1, "ok": 2, "off": 3}


@dataclass(frozen=True, slots=True)
class CameraRow:
    id: UUID
    name: str
    server_name: str
    host: str
    state: str
    label: str
    tone: str
    detail: str
    since_at: datetime | None
    retry_at: datetime | None
    codec: str
    width_px: int
    height_px: int
    fps: float
    bitrate_bps: int
    has_sub: bool
    is_enabled: bool
    is_simulated: bool
    is_meant_to_record: bool

    @property
    def is_recording(self) -> bool:
        return self.state == StreamState.RECORDING

    @property
    def remark(self) -> str:
        """The few words beside a name in the tree."""
        if self.tone == "ok":
            return f"{self.fps:.0f} fps" if self.fps else ""
        return self.label.lower()


def camera_row(camera: Camera) -> CameraRow:
    main = stream_of(camera, StreamKind.MAIN)
    sub = stream_of(camera, StreamKind.SUB)
    status = getattr(main, "status", None) if main else None
    sub_status = getattr(sub, "status", None) if sub else None
    told = describe_state(camera)
    state = str(told["state"])
    is_running = TONES.get(state) == "ok"
    return CameraRow(
        id=camera.pk,
        name=camera.name,
        server_name=camera.server.name,
        host=_host_of(main.url) if main else "",
        state=state,
        label=StreamState(state).label,
        tone=TONES.get(state, "bad"),
        detail=str(told["state_detail"] or ""),
        since_at=told["state_since"],
        retry_at=status.retry_at if status and not is_running else None,
        codec=CODEC_NAMES.get(status.codec, status.codec) if status else "",
        width_px=status.width_px if status else 0,
        height_px=status.height_px if status else 0,
        fps=status.fps if status and is_running else 0,
        bitrate_bps=sum(one.bitrate_bps for one in (status, sub_status) if one) if is_running else 0,
        has_sub=sub is not None,
        is_enabled=camera.is_enabled,
        is_simulated=camera.is_simulated,
        is_meant_to_record=camera.is_enabled and camera.recording_mode != RecordingMode.OFF,
    )


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def worst_first(rows: Iterable[CameraRow]) -> list[CameraRow]:
    return sorted(rows, key=lambda row: (_ORDER[row.tone], row.name.casefold()))


@dataclass(frozen=True, slots=True)
class RecordingCount:
    """`n of m recording`, for the top line."""

    recording: int
    meant: int

    @property
    def tone(self) -> str:
        if self.meant == 0:
            return "off"
        if self.recording == self.meant:
            return "ok"
        return "warn" if self.recording else "bad"


def count_recording(rows: Iterable[CameraRow]) -> RecordingCount:
    meant = [row for row in rows if row.is_meant_to_record]
    return RecordingCount(sum(row.is_recording for row in meant), len(meant))


def summarize(rows: list[CameraRow]) -> str:
    """What is wrong first: `1 no answer, 1 stalled, 24 recording.`"""
    counts: dict[str, int] = {}
    for row in worst_first(rows):
        counts[row.label.lower()] = counts.get(row.label.lower(), 0) + 1
    words = ", ".join(f"{number} {label}" for label, number in counts.items())
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def describe_lasting(free_bytes: int, bitrate_bps: int) -> str:
    """How long the free space lasts at the present rate: `enough for 12 days`. Empty where that can't be told."""
    if not free_bytes or not bitrate_bps:
        return ""
    hours = free_bytes * 8 / bitrate_bps / 3600
    if hours < 48:
        return f"enough for {hours:.0f} hours at this rate"
    return f"enough for {hours / 24:.0f} days at this rate"

"""Why a second of a camera has no footage, and why a run of footage ended. Shared by capture and the site's rows."""

from __future__ import annotations

from enum import StrEnum


class GapCause(StrEnum):
    """Each gap has exactly one."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    BUSY = "busy"
    STALLED = "stalled"
    NO_KEYFRAME = "no_keyframe"
    BAD_STREAM = "bad_stream"
    SCHEDULE = "schedule"
    DISABLED = "disabled"
    SERVER_DOWN = "server_down"
    DISK_FULL = "disk_full"
    DISK_LOST = "disk_lost"
    OVERLOAD = "overload"
    CLOCK_STEP = "clock_step"
    PURGED = "purged"
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """Why a recording (run) ended."""

    LOST = "lost"
    PARAMETERS = "parameters"
    CLOCK_STEP = "clock_step"
    SETTINGS = "settings"
    STOPPED = "stopped"
    DISK = "disk"
    CRASHED = "crashed"
    PURGED = "purged"
    """Retention took what followed."""

"""Words for cameras and streams."""

from django.db import models


class RecordingMode(models.TextChoices):
    """`motion` needs motion detection; until a server offers it, such a camera records continuously."""

    CONTINUOUS = "continuous", "Continuous"
    MOTION = "motion", "On motion"
    OFF = "off", "Live only"


class StreamKind(models.TextChoices):
    MAIN = "main", "Main"
    SUB = "sub", "Sub"


class Transport(models.TextChoices):
    """How RTP travels (requirement DV12)."""

    TCP = "tcp", "TCP"
    UDP = "udp", "UDP"


class StreamState(models.TextChoices):
    """What a stream does now; the words of capture's status plus `disabled` and `unknown`."""

    RECORDING = "recording", "Recording"
    LIVE = "live", "Live"
    CONNECTING = "connecting", "Connecting"
    STALLED = "stalled", "Stalled"
    UNAUTHORIZED = "unauthorized", "Wrong password"
    REFUSED = "refused", "Refused"
    UNREACHABLE = "unreachable", "No answer"
    BUSY = "busy", "Busy"
    NO_VIDEO = "no_video", "No video"
    UNKNOWN_CODEC = "unknown_codec", "Unknown codec"
    ERROR = "error", "Error"
    STOPPED = "stopped", "Stopped"
    DISABLED = "disabled", "Disabled"
    UNKNOWN = "unknown", "Unknown"

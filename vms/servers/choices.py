"""Words for servers and volumes."""

from django.db import models


class ServerState(models.TextChoices):
    """`undefined`: installed, but belongs to no site yet (requirement MS02)."""

    UNDEFINED = "undefined", "Undefined"
    ONLINE = "online", "Online"
    OFFLINE = "offline", "Offline"


class VolumeState(models.TextChoices):
    OK = "ok", "OK"
    FULL = "full", "Full"
    READ_ONLY = "read_only", "Read-only"
    FAILED = "failed", "Failed"
    MISSING = "missing", "Missing"


class VolumePurpose(models.TextChoices):
    ARCHIVE = "archive", "Archive"
    BUFFER = "buffer", "Buffer in memory"

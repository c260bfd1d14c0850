"""How full the volumes of this server are, and how full they may be. Runs in the recorder's worker; `reserve_bytes` is
pure and the web process's too."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

from django.db.models import Sum

from recorder.models import GarbageFile
from vms.cameras.models import StreamStatus
from vms.servers.choices import VolumePurpose
from vms.servers.models import Volume

RESERVE_PART = 0.02
RESERVE_S = 600.0


@dataclass(frozen=True, slots=True)
class VolumeRoom:
    """How full one volume is, and how full it may be."""

    volume: str
    free_bytes: int
    reserve_bytes: int

    @property
    def needed_bytes(self) -> int:
        return max(0, self.reserve_bytes - self.free_bytes)


def reserve_bytes(capacity_bytes: int, rate_bps: float) -> int:
    """2 % of the disk or ten minutes of all streams, whichever is more."""
    return int(max(capacity_bytes * RESERVE_PART, rate_bps / 8 * RESERVE_S))


def measure_rooms(server_id: uuid.UUID) -> list[VolumeRoom]:
    """Of each archive volume that answers. Files that wait for deletion count as free."""
    rates = (
        StreamStatus.objects.filter(stream__camera__assignments__server_id=server_id,
                                    stream__camera__assignments__ends_at__isnull=True)
        .aggregate(total=Sum("bitrate_bps"))["total"] or 0
    )  # fmt: skip
    garbage = dict(
        GarbageFile.objects.filter(volume__server_id=server_id)
        .values_list("volume_id").annotate(total=Sum("size_bytes"))
    )  # fmt: skip
    rooms = []
    for volume in Volume.objects.filter(server_id=server_id, purpose=VolumePurpose.ARCHIVE):
        try:
            figures = os.statvfs(volume.path)
        except OSError:
            continue
        free_bytes = figures.f_bavail * figures.f_frsize + garbage.get(volume.pk, 0)
        rooms.append(VolumeRoom(str(volume.pk), free_bytes, reserve_bytes(figures.f_blocks * figures.f_frsize, rates)))
    return rooms

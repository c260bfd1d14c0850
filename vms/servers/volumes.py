"""Volumes on this machine: directories with a `meta` file that carries the volume's UUID.

The UUID tells a disk from its mount point: an empty mount point has no `meta`, so it is never taken for the disk and
never filled (faults F25, F26). Called at start-up and by the recorder; touches the file system.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from vms.servers.choices import VolumePurpose, VolumeState
from vms.servers.models import Server, Volume

META_NAME = "meta"


class VolumeUnusableError(Exception):
    """One sentence that names the directory and the way out."""


def ensure_volume(server: Server, path: Path, purpose: VolumePurpose = VolumePurpose.ARCHIVE) -> Volume:
    """The volume in directory `path` of this machine, made where there is none yet. Idempotent.

    Raises `VolumeUnusableError` when the directory can't be written or holds another site's volume.
    """
    volume_id = _read_or_write_meta(path, server)
    with transaction.atomic():
        volume, _ = Volume.objects.update_or_create(
            id=volume_id, defaults={"server": server, "path": str(path), "purpose": purpose}
        )
        return measure_volume(volume)


def measure_volume(volume: Volume) -> Volume:
    """Write down capacity, free bytes and state as the file system tells them now."""
    try:
        figures = os.statvfs(volume.path)
        found = read_meta(Path(volume.path))
    except (OSError, ValueError) as err:
        volume.state, volume.state_detail = VolumeState.MISSING, f"{volume.path}: {err}"[:300]
    else:
        volume.capacity_bytes = figures.f_blocks * figures.f_frsize
        volume.free_bytes = figures.f_bavail * figures.f_frsize
        if found != volume.id:
            volume.state, volume.state_detail = VolumeState.MISSING, "Another volume is mounted here."
        elif not os.access(volume.path, os.W_OK):
            volume.state, volume.state_detail = VolumeState.READ_ONLY, "The directory can't be written."
        else:
            volume.state, volume.state_detail = VolumeState.OK, ""
    volume.checked_at = timezone.now()
    volume.save(update_fields=["capacity_bytes", "free_bytes", "state", "state_detail", "checked_at"])
    return volume


def read_meta(path: Path) -> uuid.UUID:
    """UUID of the volume in `path`. Raises `OSError` or `ValueError`."""
    return uuid.UUID(json.loads((path / META_NAME).read_text())["volume"])


def _read_or_write_meta(path: Path, server: Server) -> uuid.UUID:
    meta = path / META_NAME
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            content = json.loads(meta.read_text())
        except FileNotFoundError:
            content = {"format": 1, "volume": str(uuid.uuid4()), "site": str(server.site_id)}
            temporary = meta.with_suffix(".new")
            with temporary.open("w") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(meta)
        if not os.access(path, os.W_OK):
            raise VolumeUnusableError(f"{path} can't be written by this user: change its owner, or choose another.")
        if content.get("site") != str(server.site_id):
            raise VolumeUnusableError(f"{path} is a volume of another site: choose another directory.")
        return uuid.UUID(content["volume"])
    except OSError as err:
        raise VolumeUnusableError(
            f"{path} can't be used as a volume ({err.strerror}): make it writable, or choose another directory."
        ) from err
    except (ValueError, KeyError) as err:
        raise VolumeUnusableError(f"{meta} is no volume's description: another program's file?") from err

"""From the site's rows to the desired-state file: what this server shall record now.

`assign_shards` decides (pure), `build_desired_state` reads the rows, `Reconciler` writes the file when anything that
capture must know has changed. Runs in the recorder's worker.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from recorder.capture.desired import DesiredState, StreamSpec, VolumeSpec, read_desired, write_desired
from vms.accounts.models import User
from vms.cameras.choices import RecordingMode
from vms.cameras.models import Camera
from vms.cameras.sealing import SealBrokenError, open_password
from vms.servers.choices import VolumePurpose
from vms.servers.models import Server, Volume

logger = logging.getLogger(__name__)

CUT_MEMORY = timedelta(days=7)
"""How long a withdrawn right is told to the media service; no media stream lives longer."""


def assign_shards(cameras: Iterable[str], previous: Mapping[str, int], shards: int) -> dict[str, int]:
    """Shard of each camera: where it is now when that shard still exists (a move would cut its recording), else the
    one with the fewest cameras."""
    cameras = sorted(set(cameras))
    assigned = {camera: previous[camera] for camera in cameras if previous.get(camera, shards) < shards}
    load = Counter(dict.fromkeys(range(shards), 0))
    load.update(assigned.values())
    for camera in cameras:
        if camera not in assigned:
            assigned[camera] = min(load, key=lambda number: (load[number], number))
            load[assigned[camera]] += 1
    return assigned


def build_desired_state(server: Server, *, shards: int, previous: DesiredState | None) -> DesiredState:
    """Five queries, however many cameras."""
    volumes = list(Volume.objects.filter(server=server, is_enabled=True).order_by("created_at"))
    archive = next((volume for volume in volumes if volume.purpose == VolumePurpose.ARCHIVE), None)
    buffer = next((volume for volume in volumes if volume.purpose == VolumePurpose.BUFFER), None)
    cameras = list(
        Camera.objects.existing()
        .filter(is_enabled=True, assignments__server=server, assignments__ends_at__isnull=True)
        .prefetch_related("streams", "assignments")
    )
    before = {spec.camera: spec.shard for spec in previous.streams} if previous else {}
    shard_of = assign_shards((str(camera.pk) for camera in cameras), before, shards)
    streams = []
    for camera in cameras:
        volume = buffer if camera.recording_mode == RecordingMode.OFF else archive
        if volume is None:
            logger.error("camera %s has no volume to write to", camera.pk)
            continue
        try:
            password = open_password(camera.pk, bytes(camera.password_sealed))
        except SealBrokenError:
            logger.error("camera %s: its password can't be opened; give it again", camera.pk)
            password = ""
        epoch = next(row.epoch for row in camera.assignments.all() if row.ends_at is None)
        streams += [
            StreamSpec(
                camera=str(camera.pk),
                stream=stream.kind,
                shard=shard_of[str(camera.pk)],
                epoch=epoch,
                url=stream.url,
                volume=str(volume.pk),
                username=camera.username,
                password=password,
                transport=camera.transport,
                allow_loopback=camera.is_simulated,
                restart=camera.restart_count,
            )
            for stream in sorted(camera.streams.all(), key=lambda row: row.kind)
            if stream.is_enabled
        ]
    streams.sort(key=lambda spec: spec.key)
    withdrawn = User.objects.filter(Q(media_valid_from__gt=timezone.now() - CUT_MEMORY)).values_list(
        "pk", "media_valid_from"
    )
    return DesiredState(
        server=str(server.pk),
        config_version=server.config_version,
        shards=shards,
        camera_networks=tuple(settings.VMS_CAMERA_NETWORKS),
        volumes=tuple(
            VolumeSpec(str(volume.pk), volume.path, volume.purpose == VolumePurpose.BUFFER) for volume in volumes
        ),
        streams=tuple(streams),
        cut_before={f"user:{user}": moment.timestamp() for user, moment in withdrawn if moment},
    )


class Reconciler:
    """Writes the desired state of one server whenever its `config_version` rose."""

    def __init__(self, server_id, shards: int) -> None:
        self._server_id = server_id
        self._shards = shards
        self._written_version: int | None = None

    def reconcile(self) -> bool:
        """One cheap query when nothing changed. True when the file was written anew."""
        server = Server.objects.get(pk=self._server_id)
        if server.config_version == self._written_version:
            return False
        path = settings.VMS_HOME.desired
        try:
            previous = read_desired(path)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            previous = None
        state = build_desired_state(server, shards=self._shards, previous=previous)
        if state != previous:
            write_desired(path, state)
            logger.info("desired state %d: %d streams", state.config_version, len(state.streams))
        self._written_version = server.config_version
        return True

"""Figures in Prometheus' text format (version 0.0.4): cameras and volumes as the database knows them. Three queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from vms.cameras.models import Camera, StreamStatus
from vms.cameras.states import with_state
from vms.servers.models import Volume

Sample = tuple[Mapping[str, str], float]


def metrics_text(now: datetime) -> str:
    cameras = list(with_state(Camera.objects.existing(), now).values_list("id", "name", "state"))
    streams = list(
        StreamStatus.objects.filter(stream__is_enabled=True, stream__camera__deleted_at__isnull=True).values_list(
            "stream__camera_id", "stream__kind", "fps", "bitrate_bps", "last_frame_at"
        )
    )
    volumes = list(Volume.objects.values_list("server__name", "path", "free_bytes", "capacity_bytes"))
    labels = [{"camera": str(camera), "stream": kind} for camera, kind, *_ in streams]
    disks = [{"server": server, "path": path} for server, path, *_ in volumes]
    lines = [
        *_family(
            "heron_camera_state",
            "1 for the state a camera is in.",
            (({"camera": str(pk), "name": name, "state": state}, 1) for pk, name, state in cameras),
        ),
        *_family(
            "heron_stream_fps",
            "Frames per second over the last seconds.",
            zip(labels, (row[2] for row in streams), strict=True),
        ),
        *_family(
            "heron_stream_bits_per_second",
            "Bit rate over the last seconds.",
            zip(labels, (row[3] for row in streams), strict=True),
        ),
        *_family(
            "heron_stream_last_frame_timestamp_seconds",
            "Unix time of the newest frame.",
            ((label, row[4].timestamp()) for label, row in zip(labels, streams, strict=True) if row[4]),
        ),
        *_family(
            "heron_volume_free_bytes",
            "Free space of a volume.",
            zip(disks, (row[2] for row in volumes), strict=True),
        ),
        *_family(
            "heron_volume_capacity_bytes",
            "Size of a volume.",
            zip(disks, (row[3] for row in volumes), strict=True),
        ),
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, text: str, samples: Iterable[Sample]) -> list[str]:
    return [
        f"# HELP {name} {text}",
        f"# TYPE {name} gauge",
        *(f"{name}{{{_label_list(labels)}}} {value:.15g}" for labels, value in samples),
    ]


def _label_list(labels: Mapping[str, str]) -> str:
    return ",".join(f'{key}="{_escape(value)}"' for key, value in labels.items())


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

"""Which source reads a stream: our own RTSP client, or libav in a process of its own for the rest."""

from __future__ import annotations

from recorder.capture.desired import StreamSpec
from recorder.capture.libav_source import LibavSource
from recorder.capture.stream import Source
from recorder.netguard import AddressPolicy, parse_camera_url
from recorder.rtsp.source import RtspSource
from recorder.rtsp.target import RtspTarget
from recorder.samples import SampleSink

STALL_S = 4.0
"""Without a packet for so long a camera is stalled. Looked at once a second, so it's known within 5 s (sane: 3 to
10)."""


def make_source(spec: StreamSpec, networks: tuple[str, ...], sink: SampleSink) -> Source:
    """Raises `CameraError` for an address that can't be one; `networks` is where cameras may be."""
    policy = AddressPolicy.from_strings(networks)
    if spec.allow_loopback:
        policy = policy.with_loopback()
    if parse_camera_url(spec.url).scheme in ("rtsp", "rtsps"):
        target = RtspTarget(spec.url, spec.username, spec.password, spec.transport)
        return RtspSource(target, policy, sink, stall_s=STALL_S)
    return LibavSource(spec.url, spec.username, spec.password, policy, sink)

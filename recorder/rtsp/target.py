"""What to connect to: one stream of one camera, with its credentials.

Built by capture (from the desired state) and by the probe (from a form). The password never shows in `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.netguard import CameraAddress, parse_camera_url

from .failures import bad_target


@dataclass(frozen=True, slots=True)
class RtspTarget:
    """`url` carries no user or password; `transport` is `tcp` (interleaved) or `udp` (unicast)."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    transport: str = "tcp"

    def address(self) -> CameraAddress:
        """The URL taken apart. Raises `CameraError`: `bad_scheme`, `bad_address`, `transport_refused`."""
        address = parse_camera_url(self.url)
        if address.scheme not in ("rtsp", "rtsps"):
            raise bad_target(address.scheme)
        if self.transport not in ("tcp", "udp"):
            raise ValueError(f"transport is tcp or udp, not {self.transport!r}")
        return address

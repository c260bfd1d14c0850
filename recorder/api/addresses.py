"""Camera addresses in requests: form and network, checked before anything is saved or tried.

Names are only resolved when something connects (`recorder.netguard`); here no packet is sent.
"""

from __future__ import annotations

import ipaddress

from django.conf import settings

from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy, CameraAddress, parse_camera_url
from vms.api.errors import refuse_field


def camera_policy() -> AddressPolicy:
    """Where cameras may be. This machine itself only if the networks name it."""
    return AddressPolicy.from_strings(settings.VMS_CAMERA_NETWORKS)


def read_camera_url(url: str) -> CameraAddress:
    """The address, taken apart. Raises `CameraError` where it makes no sense or lies outside the camera networks."""
    address = parse_camera_url(url)
    try:
        literal = ipaddress.ip_address(address.host.split("%")[0])
    except ValueError:
        return address
    if not camera_policy().allows(literal):
        raise CameraError(
            ErrorCode.ADDRESS_NOT_ALLOWED, f"{literal} lies outside the camera networks (VMS_CAMERA_NETWORKS)."
        )
    return address


def check_camera_url(url: str, *, attr: str) -> CameraAddress:
    """`read_camera_url` for a request: raises a 400 about `attr` with a code of `recorder.errors.ErrorCode`."""
    try:
        return read_camera_url(url)
    except CameraError as err:
        raise refuse_field(attr, err.code.value, str(err)) from err

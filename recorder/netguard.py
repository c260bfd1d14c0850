"""Which addresses a camera may have: the rule against reaching into the server's own services (SSRF).

A name is resolved once, every answer is checked, and the caller connects to exactly that address, so a second
DNS answer can't lead elsewhere. Used by the RTSP client, the libav source, the probe and the API.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from recorder.errors import CameraError, ErrorCode

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Private ranges (RFC 1918, RFC 6598, RFC 4193). Loopback and link-local are not among them."""

SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "srt": 0}
"""Accepted schemes and their default port; 0 means that the address must name one."""

_CONTROL = re.compile(r"[\x00-\x20\x7f]|%0[0-9a-f]|%1[0-9a-f]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """A camera's URL taken apart, checked for form only."""

    scheme: str
    host: str
    port: int
    path: str
    """Path with query, beginning with `/`."""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse_camera_url(url: str) -> CameraAddress:
    """Check the form of a camera's URL. Raises `CameraError` (`bad_scheme`, `bad_address`); user and password
    belong into fields of their own, so a URL that carries them is refused."""
    if len(url) > 2000 or _CONTROL.search(url):
        raise CameraError(
            ErrorCode.BAD_ADDRESS, "The address holds characters that no camera address has.", is_permanent=True
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as err:
        raise CameraError(
            ErrorCode.BAD_ADDRESS, "The address can't be read: check host and port.", is_permanent=True
        ) from err
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        accepted = ", ".join(f"{name}://" for name in SCHEMES)
        raise CameraError(ErrorCode.BAD_SCHEME, f"The address must begin with one of {accepted}.", is_permanent=True)
    if parts.username is not None or parts.password is not None:
        raise CameraError(
            ErrorCode.BAD_ADDRESS,
            "Put user name and password into their own fields, not into the address.",
            is_permanent=True,
        )
    host = (parts.hostname or "").strip()
    if not host or host.startswith("-"):
        raise CameraError(ErrorCode.BAD_ADDRESS, "The address names no host.", is_permanent=True)
    port = port or SCHEMES[scheme]
    if not port:
        raise CameraError(ErrorCode.BAD_ADDRESS, f"A {scheme}:// address must name the port.", is_permanent=True)
    path = parts.path or "/"
    if parts.query:
        path += "?" + parts.query
    return CameraAddress(scheme, host, port, path)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The networks in which cameras may be."""

    networks: tuple[IPNetwork, ...]

    @classmethod
    def from_strings(cls, networks: list[str] | tuple[str, ...]) -> AddressPolicy:
        """Raises `ValueError` that names the entry which is no network."""
        return cls(tuple(ipaddress.ip_network(text.strip(), strict=False) for text in networks if text.strip()))

    def with_loopback(self) -> AddressPolicy:
        """The same and this machine itself: for the simulated cameras of the product."""
        return AddressPolicy((*self.networks, ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))

    def allows(self, address: IPAddress) -> bool:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address.version == network.version and address in network for network in self.networks)

    async def resolve(self, host: str, port: int, timeout_s: float = 5.0) -> IPAddress:
        """The one address to connect to. Raises `CameraError`: `name_not_found`, `timeout` or
        `address_not_allowed` (when any answer lies outside the networks)."""
        loop = asyncio.get_running_loop()
        try:
            answers = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), timeout_s)
        except TimeoutError as err:
            raise CameraError(ErrorCode.TIMEOUT, f"The name {host} was not resolved within {timeout_s:g} s.") from err
        except (OSError, UnicodeError) as err:
            raise CameraError(ErrorCode.NAME_NOT_FOUND, f"There is no host named {host}.") from err
        addresses = [ipaddress.ip_address(str(answer[4][0]).split("%")[0]) for answer in answers]
        for address in addresses:
            if not self.allows(address):
                raise CameraError(
                    ErrorCode.ADDRESS_NOT_ALLOWED,
                    f"{address} lies outside the camera networks (VMS_CAMERA_NETWORKS).",
                    is_permanent=True,
                )
        return addresses[0]

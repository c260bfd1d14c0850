"""The names and addresses under which browsers may reach this machine: for host checks and the certificate."""

from __future__ import annotations

import ipaddress
import socket

import psutil

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_loopback_only(bind: str) -> bool:
    """Whether a service that listens on `bind` is reached from this machine alone, by the usual loopback address."""
    return bind in LOOPBACK


def own_addresses(bind: str) -> list[str]:
    """IP addresses, the ones on `bind` only unless it means all of them. Loopback comes last."""
    address = ipaddress.ip_address("127.0.0.1" if bind == "localhost" else bind)
    if not address.is_unspecified:
        return list(dict.fromkeys([str(address), "127.0.0.1"]))
    found = [
        entry.address.split("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6)
    ]
    usable = [text for text in dict.fromkeys(found) if not ipaddress.ip_address(text).is_link_local]
    return sorted(usable, key=lambda text: (ipaddress.ip_address(text).is_loopback, ":" in text))


def reached_from_here(bind: str) -> str:
    """The address by which a process of this machine reaches a service that listens on `bind`."""
    if bind == "localhost":
        return "127.0.0.1"
    address = ipaddress.ip_address(bind)
    if address.is_unspecified:
        return "::1" if address.version == 6 else "127.0.0.1"
    return bind


def own_names() -> list[str]:
    """Host names, the short one first."""
    return list(dict.fromkeys([socket.gethostname(), socket.getfqdn(), "localhost"]))

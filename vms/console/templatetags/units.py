"""Quantities as people read them: bit rates, bytes, frame rates. Templates only."""

from __future__ import annotations

from django import template

register = template.Library()

NOTHING = "–"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    """In the largest unit that leaves at least 1; each unit is 1000 of the one before."""
    at = 0
    while value >= 1000 and at < len(units) - 1:
        value /= 1000
        at += 1
    digits = 0 if value >= 100 or value == int(value) else 1
    return f"{value:.{digits}f} {units[at]}"


@register.filter
def bit_rate(bits_per_s: int | None) -> str:
    """1612000 -> `1.6 Mbit/s`; a dash for nothing."""
    return _scaled(bits_per_s, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s")) if bits_per_s else NOTHING


@register.filter
def byte_size(size_bytes: int | None) -> str:
    """7812345678901 -> `7.8 TB`, in powers of ten as disks are sold."""
    return _scaled(size_bytes, ("B", "kB", "MB", "GB", "TB", "PB")) if size_bytes else NOTHING


@register.filter
def frame_rate(fps: float | None) -> str:
    """14.98 -> `15 fps`."""
    return f"{fps:.3g} fps" if fps else NOTHING

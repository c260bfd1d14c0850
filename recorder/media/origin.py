"""Which pages may use the media service, and the headers that go with every answer.

Pages come from the web service: the same host name on another port. So a page is welcome when its Origin names the
host that the request was sent to; a token alone isn't enough for a foreign page. Programs send no Origin.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

Headers = Iterable[tuple[bytes, bytes]]

EXPOSED = b"X-Heron-Mime, X-Heron-Start-Ms, X-Heron-End-Ms, X-Heron-Next-Ms, Content-Range, Accept-Ranges, Date"

EMBEDDED = frozenset(("image", "video", "audio", "track", "iframe", "frame", "embed", "object", "script", "style"))
"""What a page shows of others without asking by CORS (Fetch Metadata, `Sec-Fetch-Dest`)."""

SAFE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    # `same-site` would be right, but browsers count two ports of one IP address as two sites and then block the
    # product's own pages; embedding by foreign pages is refused by `allowed_origin` instead.
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # the address holds the token
    (b"cache-control", b"no-store"),
    (b"vary", b"origin"),
)


def header(headers: Headers, name: bytes) -> str | None:
    """First value of a header, or None. `name` in lower case."""
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), None)


def allowed_origin(headers: Headers) -> str | None:
    """The Origin to allow by CORS; "" where the request names none (a program, or the page's own `<img>`).

    None: a foreign page, to be refused.
    """
    host = header(headers, b"host")
    origin = header(headers, b"origin")
    if origin is not None:
        return origin if _is_our_page(origin, host) else None
    referer = header(headers, b"referer")
    if referer and header(headers, b"sec-fetch-dest") in EMBEDDED and not _is_our_page(referer, host):
        return None
    return ""


def _is_our_page(address: str, host: str | None) -> bool:
    try:
        theirs, ours = urlsplit(address), urlsplit(f"//{host or ''}")
        return theirs.scheme in ("http", "https") and bool(ours.hostname) and theirs.hostname == ours.hostname
    except ValueError:
        return False


def cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    if not origin:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", EXPOSED),
    ]


def preflight_headers(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        *cors_headers(origin),
        (b"access-control-allow-methods", b"GET, HEAD"),
        (b"access-control-allow-headers", b"Range"),
        (b"access-control-max-age", b"600"),
    ]

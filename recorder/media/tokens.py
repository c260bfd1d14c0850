"""Media tokens: short-lived signed claims that open one camera's pictures to one person.

Signed by the web process when it hands out a media URL, verified by the media service, which has no session and
no database. A token is `base64url(JSON claims) + "." + base64url(HMAC-SHA256 of the first part)`, both without
padding; the key is `secrets/media.key`. Who holds a token sees what it says, so it lives for minutes, is never
logged in full, and is void once its person's or session's `cut_before` has risen above its time of issue.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeGuard
from uuid import UUID

MAX_TOKEN_CHARS = 1024
MAX_SUBJECT_CHARS = 128
STREAMS = ("main", "sub")
USES = ("live", "playback", "clip", "snapshot")
MAX_CLOCK_LEAD_S = 60
"""How far in the future a token may have been issued: the signer may run on another machine."""


class TokenRefused(Exception):
    """Not a token of ours, or not for this. The text is for the log only: all refusals look alike outside."""


class TokenExpired(TokenRefused):
    """Was good once; the page fetches a new URL."""


@dataclass(frozen=True, slots=True)
class MediaClaims:
    """What a verified token allows."""

    subject: str
    """`user:<id>`."""
    session: str | None
    """`session:<hash>`, or None for API tokens."""
    camera: str
    """UUID in canonical form."""
    stream: str
    """`main`, `sub`, or `*` for both."""
    use: str
    """`live`, `playback`, `clip` or `snapshot`."""
    from_ms: int | None
    """Start of the span that may be seen, Unix ms; None: no bound."""
    to_ms: int | None
    """End (exclusive) of the span that may be seen."""
    issued_s: float
    expires_s: float

    def allows_stream(self, stream: str) -> bool:
        return stream in STREAMS and self.stream in ("*", stream)

    def is_cut(self, cut_before: Mapping[str, float]) -> bool:
        """Whether the person or the session lost its rights after the token was issued."""
        subjects = (self.subject, self.session)
        return any(self.issued_s < cut_before.get(subject, -math.inf) for subject in subjects if subject)


def sign_media_token(claims: Mapping[str, Any], key: bytes) -> str:
    """Token for `claims` (`sub sid cam str use from to iat exp`). Raises `ValueError` where they make no sense."""
    _parse_claims(claims)
    body = _encode(json.dumps(dict(claims), separators=(",", ":")).encode())
    return f"{body}.{_encode(_signature(body, key))}"


def verify_media_token(text: str, key: bytes, now_s: float) -> MediaClaims:
    """The claims of a token that is genuine and in date at `now_s` (Unix seconds).

    Raises `TokenExpired`, or `TokenRefused` for everything else. Doesn't know about `cut_before`.
    """
    if len(text) > MAX_TOKEN_CHARS or not text.isascii():
        raise TokenRefused("not a token")
    body, separator, signature = text.partition(".")
    if not separator or not hmac.compare_digest(_encode(_signature(body, key)), signature):
        raise TokenRefused("signature does not match")
    try:
        claims = _parse_claims(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (ValueError, binascii.Error, RecursionError) as err:
        raise TokenRefused("claims make no sense") from err
    if now_s >= claims.expires_s:
        raise TokenExpired("expired")
    if claims.issued_s > now_s + MAX_CLOCK_LEAD_S:
        raise TokenRefused("issued in the future")
    return claims


def _signature(body: str, key: bytes) -> bytes:
    if len(key) < 32:
        raise ValueError("media key is shorter than 32 bytes")
    return hmac.digest(key, body.encode(), sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _parse_claims(claims: Any) -> MediaClaims:
    if not isinstance(claims, Mapping):
        raise ValueError("claims are not an object")
    sub, sid = claims.get("sub"), claims.get("sid")
    if not _is_subject(sub) or not (sid is None or _is_subject(sid)):
        raise ValueError("sub or sid is not a subject")
    camera = claims.get("cam")
    if not isinstance(camera, str) or str(UUID(camera)) != camera:
        raise ValueError("cam is not a UUID in canonical form")
    if claims.get("str") not in (*STREAMS, "*") or claims.get("use") not in USES:
        raise ValueError("str or use is unknown")
    start, end = claims.get("from"), claims.get("to")
    if any(bound is not None and type(bound) is not int for bound in (start, end)):
        raise ValueError("from and to are Unix milliseconds or null")
    issued_s, expires_s = _unix_seconds(claims.get("iat")), _unix_seconds(claims.get("exp"))
    return MediaClaims(sub, sid, camera, claims["str"], claims["use"], start, end, issued_s, expires_s)


def _unix_seconds(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("iat and exp are Unix seconds")
    return value


def _is_subject(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and ":" in value and len(value) <= MAX_SUBJECT_CHARS

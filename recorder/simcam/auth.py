"""RTSP authentication as cameras do it: Basic (RFC 7617) and Digest with MD5 or SHA-256 (RFC 7616).

One `Authenticator` per connection. A simulated camera's password is compared, never logged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

REALM = "simcam"
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_HASHES = {"digest": ("MD5", hashlib.md5), "digest-sha256": ("SHA-256", hashlib.sha256)}


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str
    password: str = field(repr=False)
    scheme: str = "digest"
    """`basic`, `digest` or `digest-sha256`."""


class Authenticator:
    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials
        self._nonce = secrets.token_hex(16)

    def challenge(self) -> str:
        """Value of WWW-Authenticate."""
        scheme = self._credentials.scheme if self._credentials else "digest"
        if scheme == "basic":
            return f'Basic realm="{REALM}"'
        algorithm = f", algorithm={_HASHES[scheme][0]}" if scheme != "digest" else ""
        return f'Digest realm="{REALM}", nonce="{self._nonce}"{algorithm}'

    def accepts(self, method: str, authorization: str | None) -> bool:
        """Whether the request's Authorization header proves the password; True where none is set."""
        credentials = self._credentials
        if credentials is None:
            return True
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() == "basic" and credentials.scheme == "basic":
            expected = f"{credentials.user}:{credentials.password}".encode()
            try:
                return hmac.compare_digest(base64.b64decode(value, validate=True), expected)
            except binascii.Error:
                return False
        if scheme.lower() != "digest" or credentials.scheme == "basic":
            return False
        fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(value)}
        if fields.get("nonce") != self._nonce or fields.get("username") != credentials.user:
            return False
        return hmac.compare_digest(self._response(method, fields), fields.get("response", ""))

    def _response(self, method: str, fields: dict[str, str]) -> str:
        credentials = self._credentials
        if credentials is None:
            return ""
        _, make = _HASHES[credentials.scheme]

        def digest(*parts: str) -> str:
            return make(":".join(parts).encode()).hexdigest()

        ha1 = digest(credentials.user, REALM, credentials.password)
        ha2 = digest(method, fields.get("uri", ""))
        if "qop" in fields:
            return digest(ha1, self._nonce, fields.get("nc", ""), fields.get("cnonce", ""), fields["qop"], ha2)
        return digest(ha1, self._nonce, ha2)

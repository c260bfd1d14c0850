"""Basic and Digest authentication (RFC 7617, RFC 7616, and RFC 2617 for cameras that know no `qop`).

`Authenticator` lives as long as a connection. It never logs, and only `authorization` reads the password.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

_ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA256": "sha256", "SHA-512-256": "sha512_256"}
_STRENGTH = {"md5": 1, "sha256": 2, "sha512_256": 3}
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Digest)(?=\s|$|,)", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
MAX_CHALLENGE_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Challenge:
    """One offer of a `WWW-Authenticate` header."""

    scheme: str
    """`basic` or `digest`."""
    parameters: dict[str, str]
    algorithm: str = ""
    """Name for `hashlib`; empty for `basic`."""
    is_session: bool = False
    qop: str = ""
    """`auth`, or empty where the camera asks for none."""

    @property
    def is_stale(self) -> bool:
        return self.parameters.get("stale", "").lower() == "true"

    @property
    def strength(self) -> int:
        return _STRENGTH.get(self.algorithm, 0)


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """The offers that we can answer, strongest first. Several may stand in one header or in several."""
    offers = []
    for header in headers:
        header = header[:MAX_CHALLENGE_LENGTH]
        unquoted = _QUOTED.sub(lambda match: "_" * len(match[0]), header)  # a realm may hold anything
        starts = list(_SCHEME.finditer(unquoted))
        for number, match in enumerate(starts):
            end = starts[number + 1].start() if number + 1 < len(starts) else len(header)
            offer = _parse_offer(match[1].lower(), header[match.end() : end])
            if offer is not None:
                offers.append(offer)
    return sorted(offers, key=lambda offer: offer.strength, reverse=True)


def _parse_offer(scheme: str, text: str) -> Challenge | None:
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        value = match[3] if match[2] is None else match[2]
        parameters.setdefault(match[1].lower(), value)
    if scheme == "basic":
        return Challenge("basic", parameters)
    name = parameters.get("algorithm", "MD5").upper()
    is_session = name.endswith("-SESS")
    algorithm = _ALGORITHMS.get(name.removesuffix("-SESS"))
    offered = [item.strip().lower() for item in parameters.get("qop", "").split(",") if item.strip()]
    if algorithm is None or "nonce" not in parameters or (offered and "auth" not in offered):
        return None
    return Challenge("digest", parameters, algorithm, is_session, "auth" if offered else "")


class Authenticator:
    """Answers a camera's challenges with one user's credentials."""

    __slots__ = ("_challenge", "_client_nonce", "_count", "_password", "_username")

    def __init__(self, username: str, password: str, client_nonce: str | None = None) -> None:
        self._username = username
        self._password = password
        self._client_nonce = client_nonce or secrets.token_hex(8)
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def has_credentials(self) -> bool:
        return bool(self._username or self._password)

    @property
    def scheme(self) -> str:
        """What is in use: empty, `basic` or `digest`."""
        return self._challenge.scheme if self._challenge else ""

    def accept(self, headers: Iterable[str]) -> Challenge | None:
        """Take up the strongest offer of a 401's headers; `None` if there is none that we know."""
        offers = parse_challenges(headers)
        self._challenge = offers[0] if offers else None
        self._count = 0
        return self._challenge

    def authorization(self, method: str, uri: str) -> str | None:
        """Value of the `Authorization` header for the next request, or `None` before any challenge."""
        challenge = self._challenge
        if challenge is None or not self.has_credentials:
            return None
        if challenge.scheme == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode("ascii")
        return self._digest(challenge, method, uri)

    def _digest(self, challenge: Challenge, method: str, uri: str) -> str:
        def hashed(*parts: str) -> str:
            return hashlib.new(challenge.algorithm, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        parameters = challenge.parameters
        realm, nonce = _unquote(parameters.get("realm", "")), _unquote(parameters["nonce"])
        self._count += 1
        count = f"{self._count:08x}"
        user_hash = hashed(self._username, realm, self._password)
        if challenge.is_session:
            user_hash = hashed(user_hash, nonce, self._client_nonce)
        request_hash = hashed(method, uri)
        if challenge.qop:
            response = hashed(user_hash, nonce, count, self._client_nonce, challenge.qop, request_hash)
        else:
            response = hashed(user_hash, nonce, request_hash)
        is_hashed = parameters.get("userhash", "").lower() == "true"
        shown = hashed(self._username, realm) if is_hashed else self._username
        fields = [
            _username_field(shown),
            f'realm="{parameters.get("realm", "")}"',
            f'nonce="{parameters["nonce"]}"',
            f'uri="{uri}"',
            f'response="{response}"',
        ]
        if "algorithm" in parameters:
            fields.append(f"algorithm={parameters['algorithm']}")
        if "opaque" in parameters:
            fields.append(f'opaque="{parameters["opaque"]}"')
        if challenge.qop or challenge.is_session:
            fields.append(f'cnonce="{self._client_nonce}"')
        if challenge.qop:
            fields += [f"qop={challenge.qop}", f"nc={count}"]
        if is_hashed:
            fields.append("userhash=true")
        return "Digest " + ", ".join(fields)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _username_field(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'username="{escaped}"'

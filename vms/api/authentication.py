"""Who calls the API: a bearer token (knox: hashed at rest, expiring), or the session of a signed-in page.

Called by Django REST framework for every request. A token that is wrong, expired or whose user is disabled gets the
same 401. `session_subject` names what carried the request, so that media URLs can be cut with it.
"""

from __future__ import annotations

from hashlib import sha256

from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from knox.models import AuthToken
from rest_framework import exceptions


class BearerTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`."""

    def authenticate_credentials(self, token: bytes):
        try:
            return super().authenticate_credentials(token)
        except UnicodeDecodeError as err:
            raise exceptions.AuthenticationFailed("Invalid token.") from err


class BearerTokenScheme(OpenApiAuthenticationExtension):
    """How the API document tells of bearer tokens."""

    target_class = BearerTokenAuthentication
    name = "bearerToken"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer", "description": "From `POST /api/v1/auth/token/`."}


class PageSessionScheme(OpenApiAuthenticationExtension):
    """The pages' own way in; the cookie's real name carries the port of the installation."""

    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "pageSession"
    priority = 1

    def get_security_definition(self, auto_schema):
        return {"type": "apiKey", "in": "cookie", "name": "session"}


def subject_of(secret: str) -> str:
    """`session:<hash>`: a name for a session key or a token digest that doesn't give it away."""
    return "session:" + sha256(secret.encode()).hexdigest()[:24]


def session_subject(request: HttpRequest) -> str | None:
    """The subject of the session or the token that carried `request`; None without either."""
    token = getattr(request, "auth", None)
    if isinstance(token, AuthToken):
        return subject_of(token.digest)
    key = request.session.session_key if hasattr(request, "session") else None
    return subject_of(key) if key else None

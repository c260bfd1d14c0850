"""Signed addresses of the media service: short-lived, bound to user, session, camera, stream, purpose and span.

Made by the web process for the API and the pages. The address names the host by which the browser reached the web
service, with the media port of the camera's server; `proxy_base` leads through the web service instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from recorder.media.tokens import sign_media_token
from vms.api.authentication import session_subject
from vms.api.times import Span
from vms.cameras.models import Camera

LIVE_VALID = timedelta(seconds=60)
"""Time to open the socket; an open one runs until a right is withdrawn."""
PLAYBACK_VALID = timedelta(minutes=10)
CLIP_VALID = timedelta(hours=1)
"""A download that broke off goes on by Range within this time."""

_FORWARDING = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED", "HTTP_VIA")


@dataclass(frozen=True, slots=True)
class MediaAddress:
    base: str
    """`http(s)://host:port/m/<token>/`."""
    proxy_base: str
    """`/media/m/<token>/`, on the web service's own origin."""
    expires_at: datetime

    def websocket(self, request: HttpRequest) -> tuple[str, str]:
        """The live socket's URL, direct and through the web service (absolute both)."""
        scheme = "wss" if request.is_secure() else "ws"
        return (
            self.base.replace("http", "ws", 1) + "live",
            f"{scheme}://{request.get_host()}{self.proxy_base}live",
        )


def make_media_address(
    request: HttpRequest, camera: Camera, *, use: str, stream: str, valid: timedelta, span: Span | None = None
) -> MediaAddress:
    """`camera` with its server; `request` authenticated and the right to `use` checked by the caller."""
    now = timezone.now()
    expires_at = now + valid
    token = sign_media_token(
        {
            "sub": f"user:{request.user.pk}",
            "sid": session_subject(request),
            "cam": str(camera.pk),
            "str": stream,
            "use": use,
            "from": span.start_ms if span else None,
            "to": span.end_ms if span else None,
            # Not rounded: who signs in again within the second of a sign-out gets a good token.
            "iat": round(now.timestamp(), 3),
            "exp": round(expires_at.timestamp(), 3),
        },
        settings.VMS_MEDIA_KEY,
    )
    return MediaAddress(f"{_media_origin(request, camera)}/m/{token}/", f"/media/m/{token}/", expires_at)


def _media_origin(request: HttpRequest, camera: Camera) -> str:
    if camera.server.external_media_url:
        return camera.server.external_media_url.rstrip("/")
    is_local = camera.server.name == settings.VMS_SERVER_NAME
    # Browsers reach this machine by the name they used for the page, other servers by their own address.
    host = urlsplit(f"//{request.get_host()}").hostname if is_local else camera.server.host
    if host and ":" in host:
        host = f"[{host}]"
    return f"{request.scheme}://{host}:{camera.server.media_port}"


def goes_through_proxy(request: HttpRequest) -> bool:
    """Whether a redirect should stay on the web service's origin: asked for (`?proxy=1`), or the request didn't come
    straight to our port, so the media port may not be reachable either."""
    if request.GET.get("proxy") == "1":
        return True
    if any(name in request.META for name in _FORWARDING):
        return True
    port = urlsplit(f"//{request.get_host()}").port
    return port != settings.VMS_PORT

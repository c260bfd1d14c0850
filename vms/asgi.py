"""The web service: pages, API, event WebSocket, and the proxy to the media service for browsers that can't reach it."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vms.settings")
django_app = get_asgi_application()

# These need Django's apps to be loaded.
from django.conf import settings  # noqa: E402

from recorder.media.proxy import MediaProxy  # noqa: E402
from vms.own_addresses import reached_from_here  # noqa: E402
from vms.routing import websocket_urlpatterns  # noqa: E402

MEDIA_PREFIX = "/media/"
media_proxy = MediaProxy(
    settings.VMS_MEDIA_PORT,
    reached_from_here(settings.VMS_BIND),
    certificate=settings.VMS_CERTIFICATE if settings.VMS_IS_HTTPS else None,
)
django_and_channels = ProtocolTypeRouter(
    {
        "http": django_app,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)


async def application(scope, receive, send):
    """Media goes to the proxy by its path, everything else to Django and Channels."""
    if scope["type"] in ("http", "websocket") and scope["path"].startswith(MEDIA_PREFIX):
        await media_proxy({**scope, "path": scope["path"][len(MEDIA_PREFIX) - 1 :]}, receive, send)
    else:
        await django_and_channels(scope, receive, send)

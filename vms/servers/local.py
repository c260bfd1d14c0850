"""This machine's own row among the servers."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from vms.servers.choices import ServerState
from vms.servers.models import Server
from vms.sites.services import ensure_local_site


@transaction.atomic
def ensure_local_server() -> Server:
    """The row of the server that runs this process, by `VMS_SERVER_NAME`; the first one of a site is its main."""
    site = ensure_local_site()
    server, is_new = Server.objects.get_or_create(
        site=site,
        name=settings.VMS_SERVER_NAME,
        defaults={
            "is_main": not Server.objects.filter(site=site, is_main=True).exists(),
            "state": ServerState.ONLINE,
            "media_port": settings.VMS_MEDIA_PORT,
        },
    )
    if not is_new:
        Server.objects.filter(pk=server.pk).update(media_port=settings.VMS_MEDIA_PORT, version=settings.VMS_VERSION)
    return server

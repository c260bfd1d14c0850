"""The door to servers and volumes for request code. Rights on servers are the role's alone."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404

from vms.accounts.models import User
from vms.accounts.rights import Action
from vms.servers.models import Server, Volume


def access_servers(user: User | AnonymousUser, action: Action) -> QuerySet[Server]:
    if not user.is_authenticated or not user.may(action):
        return Server.objects.none()
    return Server.objects.order_by("name")


def access_server(user: User | AnonymousUser, server_id: uuid.UUID, action: Action) -> Server:
    """Raises `Http404` for an unknown server and for a user who may not."""
    server = access_servers(user, action).filter(pk=server_id).first()
    if server is None:
        raise Http404
    return server


def access_volumes(user: User | AnonymousUser, action: Action) -> QuerySet[Volume]:
    if not user.is_authenticated or not user.may(action):
        return Volume.objects.none()
    return Volume.objects.select_related("server").order_by("server__name", "path")


def access_volume(user: User | AnonymousUser, volume_id: uuid.UUID, action: Action) -> Volume:
    """Raises `Http404` for an unknown volume and for a user who may not."""
    volume = access_volumes(user, action).filter(pk=volume_id).first()
    if volume is None:
        raise Http404
    return volume

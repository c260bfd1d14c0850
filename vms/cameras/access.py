"""The one door to cameras for request code: what a user may not reach looks as if it weren't there."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from guardian.shortcuts import get_objects_for_user

from vms.accounts.models import User
from vms.accounts.rights import Action, Role
from vms.cameras.models import Camera, CameraQuerySet


def access_cameras(user: User | AnonymousUser, action: Action) -> CameraQuerySet:
    """The cameras on which `user` may do `action`; deleted ones are gone. One query, two for custom roles."""
    if not user.is_authenticated or not user.is_active:
        return Camera.objects.none()
    if user.may(action):
        return Camera.objects.existing()
    if user.role != Role.CUSTOM:
        return Camera.objects.none()
    granted = get_objects_for_user(user, f"cameras.{action.value}", Camera, accept_global_perms=False)
    return Camera.objects.existing().filter(pk__in=granted.values("pk"))


def access_camera(user: User | AnonymousUser, camera_id: uuid.UUID, action: Action) -> Camera:
    """Raises `Http404` both for an unknown camera and for one the user may not `action`."""
    camera = access_cameras(user, action).select_related("server").filter(pk=camera_id).first()
    if camera is None:
        raise Http404
    return camera

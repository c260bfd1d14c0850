"""Every API view declares what it takes to call it; a view that forgets is closed to everybody.

A view has `required_action`, or `required_actions` by method: `ANYBODY`, `SIGNED_IN`, an `Action` (the role must allow
it on the whole site), or `on_object(Action)`: custom roles, which hold rights on single objects, come in too, and the
view reaches objects only through `access_*`, which hides the rest. tests/api walks all routes for views without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rest_framework.permissions import BasePermission

from vms.accounts.rights import CAMERA_ACTIONS, Action, Role


class Everyone(Enum):
    ANYBODY = "anybody"
    SIGNED_IN = "signed_in"


ANYBODY = Everyone.ANYBODY
SIGNED_IN = Everyone.SIGNED_IN


@dataclass(frozen=True, slots=True)
class ObjectAction:
    """The action is asked per object by the view."""

    action: Action


def on_object(action: Action) -> ObjectAction:
    """Raises `ValueError` for an action that nobody can hold on a single camera."""
    if action not in CAMERA_ACTIONS:
        raise ValueError(f"{action} can't be granted on an object")
    return ObjectAction(action)


Requirement = Everyone | Action | ObjectAction


def requirement_of(view: object, method: str) -> Requirement | None:
    """What `view` demands for `method`; None when it says nothing. HEAD is GET's shadow."""
    method = "GET" if method == "HEAD" else method
    by_method = getattr(view, "required_actions", None)
    if by_method is not None:
        return by_method.get(method)
    return getattr(view, "required_action", None)


class DenyUnlessDeclared(BasePermission):
    def has_permission(self, request, view) -> bool:
        if request.method == "OPTIONS":
            return bool(request.user and request.user.is_authenticated)
        requirement = requirement_of(view, request.method)
        if requirement is None:
            # A method that the view lacks gets its 405, not a 403.
            method = request.method.lower()
            return method not in view.http_method_names or not hasattr(view, method)
        if requirement is ANYBODY:
            return True
        user = request.user
        if not user or not user.is_authenticated or not user.is_active:
            return False
        if requirement is SIGNED_IN:
            return True
        if isinstance(requirement, ObjectAction):
            return user.may(requirement.action) or user.role == Role.CUSTOM
        return user.may(requirement)

"""Who may do what: the one table of actions and roles that views, API, media tokens and tests all read."""

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMINISTRATOR = "administrator", "Administrator"
    OPERATOR = "operator", "Operator"
    VIEWER = "viewer", "Viewer"
    CUSTOM = "custom", "Custom"


class Action(models.TextChoices):
    VIEW_LIVE = "view_live", "Watch live pictures"
    VIEW_PLAYBACK = "view_playback", "Play back recordings"
    EXPORT_CLIP = "export_clip", "Save clips"
    MANAGE_CAMERAS = "manage_cameras", "Add, edit and delete cameras"
    VIEW_SERVERS = "view_servers", "See servers and storage"
    MANAGE_SERVERS = "manage_servers", "Change servers and storage"
    VIEW_EVENTS = "view_events", "See events"
    VIEW_AUDIT = "view_audit", "Read the audit trail"


_EVERYBODY = frozenset({Role.OWNER, Role.ADMINISTRATOR, Role.OPERATOR, Role.VIEWER})
_OPERATORS = frozenset({Role.OWNER, Role.ADMINISTRATOR, Role.OPERATOR})
_ADMINISTRATORS = frozenset({Role.OWNER, Role.ADMINISTRATOR})

ROLES_BY_ACTION: dict[Action, frozenset[Role]] = {
    Action.VIEW_LIVE: _EVERYBODY,
    Action.VIEW_PLAYBACK: _EVERYBODY,
    Action.EXPORT_CLIP: _OPERATORS,
    Action.MANAGE_CAMERAS: _ADMINISTRATORS,
    Action.VIEW_SERVERS: _OPERATORS,
    Action.MANAGE_SERVERS: _ADMINISTRATORS,
    Action.VIEW_EVENTS: _EVERYBODY,
    Action.VIEW_AUDIT: _ADMINISTRATORS,
}

CAMERA_ACTIONS = frozenset(
    {Action.VIEW_LIVE, Action.VIEW_PLAYBACK, Action.EXPORT_CLIP, Action.MANAGE_CAMERAS, Action.VIEW_EVENTS}
)
"""Actions that a custom role can hold on single cameras (django-guardian permissions `cameras.<action>`)."""


def role_allows(role: str, action: Action) -> bool:
    """Whether the role as such may do this on every object. Custom roles start with nothing."""
    return role in ROLES_BY_ACTION[action]

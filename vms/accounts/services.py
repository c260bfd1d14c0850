"""People: the first owner, signing in and out, and what ends with a right.

Called by pages, API and commands. Every function is one transaction with its audit entry. Media URLs carry their time
of issue, so raising `media_valid_from` (and telling the recorders, whose desired state carries it to the media
services) cuts running pictures within 5 s.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from knox.models import AuthToken

from vms.accounts.exceptions import LockedOutError, SetupClosedError, WrongCredentialsError
from vms.accounts.models import SetupLink, SignInFailures, User
from vms.accounts.rights import Role
from vms.audit.services import record_audit
from vms.events.services import EVERYBODY_GROUP, push
from vms.servers.services import touch_all_configs
from vms.sites.services import ensure_local_site

MAX_FAILURES = 6
"""Wrong tries that are free; the next one locks."""
LOCK = timedelta(minutes=30)
_UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  (stands for "no address", nothing listens there)


# --- The first owner ---------------------------------------------------------------------------------------------


def has_owner() -> bool:
    return User.objects.filter(role=Role.OWNER).exists()


@transaction.atomic
def make_setup_link() -> str:
    """A new one-time token for `create_owner`; older unused ones stop working. Raises `SetupClosedError` when there
    is an owner."""
    if has_owner():
        raise SetupClosedError
    SetupLink.objects.filter(used_at__isnull=True).delete()
    token = secrets.token_urlsafe(32)
    SetupLink.objects.create(token_sha256=_token_hash(token))
    return token


def is_setup_open(token: str) -> bool:
    """Whether `create_owner` would take this token now."""
    return not has_owner() and SetupLink.objects.filter(token_sha256=_token_hash(token), used_at__isnull=True).exists()


def create_owner(*, token: str, username: str, password: str, site_name: str = "") -> User:
    """Make the owner with a set-up link. Of two at once one wins: the link is used up by a compare-and-set and the
    database allows one owner. Raises `SetupClosedError`, or `ValidationError` of Django for name and password."""
    with transaction.atomic():
        is_mine = SetupLink.objects.filter(token_sha256=_token_hash(token), used_at__isnull=True).update(
            used_at=timezone.now()
        )
        if not is_mine:
            raise SetupClosedError
        return create_owner_directly(username=username, password=password, site_name=site_name)


def create_owner_directly(*, username: str, password: str, site_name: str = "") -> User:
    """Make the owner from a command or the environment. Raises as `create_owner`; closes every set-up link."""
    if has_owner():
        raise SetupClosedError
    owner = User(username=User.normalize_username(username), role=Role.OWNER, is_staff=True, is_superuser=True)
    validate_password(password, owner)
    owner.set_password(password)
    owner.full_clean(exclude=["password"], validate_constraints=False)
    try:
        with transaction.atomic():
            owner.validate_unique()
            owner.save(force_insert=True)
            SetupLink.objects.filter(used_at__isnull=True).update(used_at=timezone.now())
            site = ensure_local_site()
            if site_name:
                site.name = site_name
                site.save(update_fields=["name"])
            record_audit(actor=owner, action="owner.created", target=owner)
    except IntegrityError as err:  # another request made the owner between the question and the insert
        raise SetupClosedError from err
    return owner


def _token_hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


# --- Signing in and out --------------------------------------------------------------------------------------------


def authenticate_person(*, username: str, password: str, address: str | None, via: str = "page") -> User:
    """The user with this name and password. Raises `WrongCredentialsError`, or `LockedOutError` from the seventh wrong
    try from one address for 30 minutes, even for the right password. Both are audited."""
    username = username[:150]
    key = {"username": _counter_name(username), "address": address or _UNKNOWN_ADDRESS}
    now = timezone.now()
    failures = SignInFailures.objects.filter(**key).first()
    if failures and failures.count > MAX_FAILURES:
        if now - failures.last_at < LOCK:
            raise LockedOutError(int((failures.last_at + LOCK - now).total_seconds()) + 1)
        failures.delete()
    user = authenticate(username=username, password=password)
    if user is None:
        _count_failure(key, username, via)
        raise WrongCredentialsError
    with transaction.atomic():
        SignInFailures.objects.filter(**key).delete()
        record_audit(actor=user, action="sign_in", target=user, detail={"via": via})
    return user


def _counter_name(username: str) -> str:
    """What failures are counted under. An unknown name may be a password in the wrong field: kept as a hash."""
    name = username.casefold()
    is_known = User.objects.filter(username__iexact=username).exists()
    return name[:150] if is_known else "~" + sha256(name.encode()).hexdigest()[:40]


@transaction.atomic
def _count_failure(key: dict[str, str], username: str, via: str) -> None:
    now = timezone.now()
    SignInFailures.objects.filter(last_at__lt=now - LOCK).delete()
    failures, _ = SignInFailures.objects.get_or_create(**key, defaults={"last_at": now})
    SignInFailures.objects.filter(pk=failures.pk).update(count=F("count") + 1, last_at=now)
    is_locked = failures.count + 1 > MAX_FAILURES
    known = User.objects.filter(username=username).first()
    record_audit(
        actor=None,
        action="sign_in_failed",
        target=known,
        outcome="refused",
        detail={"via": via, "locked": is_locked},
    )


@transaction.atomic
def note_sign_out(*, user: User, via: str = "page") -> None:
    """Audit a sign-out and cut what the person watches. The caller ends the session or deletes the token."""
    record_audit(actor=user, action="sign_out", target=user, detail={"via": via})
    end_media_access(user=user)


# --- What ends with a right ------------------------------------------------------------------------------------------


@transaction.atomic
def end_media_access(*, user: User) -> None:
    """Void every media URL that the user was given so far."""
    user.media_valid_from = timezone.now()
    user.save(update_fields=["media_valid_from"])
    touch_all_configs()
    message = {"type": "rights.changed", "user": str(user.pk)}
    transaction.on_commit(lambda: push(EVERYBODY_GROUP, message))


@transaction.atomic
def change_password(*, actor: User, user: User, password: str) -> None:
    """Set a new password; every token and every other session of the user ends. Raises Django's `ValidationError`."""
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    AuthToken.objects.filter(user=user).delete()
    record_audit(actor=actor, action="user.password_changed", target=user)
    end_media_access(user=user)


@transaction.atomic
def set_user_active(*, actor: User, user: User, is_active: bool) -> None:
    """Let a user in or out. Raises `ValueError` for the owner, who can't be shut out."""
    if user.role == Role.OWNER and not is_active:
        raise ValueError("The owner can't be disabled.")
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    record_audit(actor=actor, action="user.enabled" if is_active else "user.disabled", target=user)
    if not is_active:
        AuthToken.objects.filter(user=user).delete()
        end_media_access(user=user)

"""Users. Exactly one is the owner (a database constraint); the one-time set-up link makes it."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models

from vms.accounts.rights import Action, Role, role_allows


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)
    media_valid_from = models.DateTimeField(
        null=True, blank=True, help_text="Media URLs made before this moment are void: set when rights are withdrawn."
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["role"],
                condition=models.Q(role=Role.OWNER),
                name="exactly_one_owner",
                violation_error_message="There is an owner already.",
            ),
        ]

    def may(self, action: Action) -> bool:
        """Whether the user's role allows `action` on every object. Object grants are asked through `access_*`."""
        return self.is_active and role_allows(self.role, action)


class SetupLink(models.Model):
    """The one-time link that makes the owner; only the hash of its token is kept. Closed for good once used."""

    token_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"set-up link of {self.created_at:%Y-%m-%d %H:%M}"


class SignInFailures(models.Model):
    """Wrong passwords for one user name from one address; the row goes with the next right one. Names that don't
    exist are counted too, so that a lock says nothing about who has an account."""

    username = models.CharField(max_length=150)
    address = models.GenericIPAddressField()
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "sign-in failures"
        constraints = [models.UniqueConstraint(fields=["username", "address"], name="one_counter_per_name_and_address")]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}: {self.count}"

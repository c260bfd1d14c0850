"""The site: servers that share one database. Exactly one row is this site; a domain will add others."""

import uuid

from django.db import models


class Site(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    is_local = models.BooleanField(default=True, help_text="The site whose database this is.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["is_local"], condition=models.Q(is_local=True), name="one_local_site"),
        ]

    def __str__(self) -> str:
        return self.name

"""Events: what happened at a camera or a server, once each. Rows are pushed to browsers as they are written."""

import uuid

from django.db import models


class Severity(models.TextChoices):
    INFO = "info", "Notice"
    WARNING = "warning", "Warning"
    ALARM = "alarm", "Alarm"


class Event(models.Model):
    id = models.UUIDField(
        primary_key=True,
        default=uuid.uuid4,
        editable=False,
        help_text="Given by the source, so that a repeated delivery stays one row.",
    )
    at = models.DateTimeField(db_index=True)
    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.INFO)
    camera = models.ForeignKey("cameras.Camera", null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    server = models.ForeignKey("servers.Server", null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at", "id"]
        indexes = [models.Index(fields=["camera", "-at"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.kind}"

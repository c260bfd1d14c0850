"""How long footage stays: rules, holds, and files that are on their way out."""

import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from vms.cameras.choices import StreamKind


class RetentionRule(models.Model):
    """For one camera, or as the site's default where `camera` is null; for one kind of stream, or for both where it is
    empty. The closest rule counts, whole: camera and kind, camera, kind, default."""

    camera = models.ForeignKey(
        "cameras.Camera", null=True, blank=True, on_delete=models.CASCADE, related_name="retention_rules"
    )
    stream_kind = models.CharField(max_length=4, choices=StreamKind, blank=True)
    min_days = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0)], help_text="A promise: younger footage goes last."
    )
    max_days = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0)], help_text="A law: older footage goes."
    )
    max_bytes = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["camera", "stream_kind"], name="one_retention_rule_per_stream"),
            models.UniqueConstraint(
                fields=["stream_kind"], condition=models.Q(camera__isnull=True), name="one_default_rule_per_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(min_days__isnull=True)
                | models.Q(max_days__isnull=True)
                | models.Q(max_days__gte=models.F("min_days")),
                name="retention_max_not_below_min",
                violation_error_message="Footage can't be promised for longer than it may be kept.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.camera or 'every camera'} {self.stream_kind}".strip()


class Hold(models.Model):
    """Forbids purging a camera's footage of a span, until it is released."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    camera = models.ForeignKey("cameras.Camera", on_delete=models.PROTECT, related_name="holds")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        indexes = [models.Index(fields=["camera", "released_at"])]
        constraints = [
            models.CheckConstraint(condition=models.Q(ended_at__gt=models.F("started_at")), name="hold_has_length"),
        ]

    def __str__(self) -> str:
        return f"{self.camera_id} {self.started_at:%Y-%m-%d %H:%M} to {self.ended_at:%Y-%m-%d %H:%M}"


class StreamUsage(models.Model):
    """What a stream keeps on a volume: counted anew now and then, in between moved by what is purged; what was added
    since has segment keys above `counted_to`. Also the rate of the last days, for forecasts."""

    stream = models.ForeignKey("cameras.Stream", on_delete=models.CASCADE, related_name="usages")
    volume = models.ForeignKey("servers.Volume", on_delete=models.CASCADE, related_name="usages")
    kept_bytes = models.BigIntegerField(default=0, help_text="In segments with keys up to `counted_to`.")
    held_bytes = models.BigIntegerField(default=0)
    oldest_at = models.DateTimeField(null=True)
    rate_bytes_per_day = models.FloatField(default=0, help_text="Over the last days; 0 for a stream at rest.")
    counted_to = models.PositiveBigIntegerField(default=0)
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "volume"], name="one_usage_per_stream_and_volume")]

    def __str__(self) -> str:
        return f"{self.stream_id} on {self.volume_id}: {self.kept_bytes}"


class GarbageFile(models.Model):
    """A file whose row is gone and which is about to be: survives a crash between row and file."""

    volume = models.ForeignKey("servers.Volume", on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200, help_text="Relative to the volume.")
    size_bytes = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["volume", "path"], name="garbage_file_once")]

    def __str__(self) -> str:
        return self.path

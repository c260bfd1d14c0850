"""The archive's catalogue: which footage exists, where it lies, and why there is none.

`Recording` is one unbroken run of one stream on one server, so a month on the timeline is a handful of rows;
`Segment` is one file; `Gap` is time without footage, with its cause. All three are written only by draining capture's
journal (idempotent: natural keys or IDs given by capture) and carry the epoch of the assignment they were made
under. The files on disk are the truth; these rows can be rebuilt from them. Sized for 100 million segments: integer
keys, one composite index for the span queries, no index that nobody asks.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from recorder.choices import END_REASONS, GAP_CAUSES


class SpanQuerySet(models.QuerySet):
    """For rows with `started_at` and a nullable `ended_at`."""

    def overlapping(self, start_at: datetime, end_at: datetime) -> SpanQuerySet:
        """Rows that share any instant with `[start_at, end_at)`; open rows reach into the future."""
        return self.filter(Q(ended_at__gt=start_at) | Q(ended_at__isnull=True), started_at__lt=end_at)


class Recording(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="Run ID given by capture.")
    stream = models.ForeignKey("cameras.Stream", on_delete=models.PROTECT, related_name="recordings")
    server = models.ForeignKey("servers.Server", on_delete=models.PROTECT, related_name="+")
    epoch = models.PositiveBigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="Null while it runs.")
    end_reason = models.CharField(max_length=12, choices=END_REASONS, blank=True)
    time_source = models.CharField(max_length=12, default="server")
    time_error_ms = models.PositiveIntegerField(default=0, help_text="Bound of the error of the run's times.")

    objects = SpanQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["stream", "started_at"]), models.Index(fields=["stream", "ended_at"])]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.started_at:%Y-%m-%d %H:%M:%S}"


class Segment(models.Model):
    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey("cameras.Stream", on_delete=models.PROTECT, related_name="segments", db_index=False)
    recording = models.ForeignKey(Recording, on_delete=models.PROTECT, related_name="segments")
    volume = models.ForeignKey("servers.Volume", on_delete=models.PROTECT, related_name="segments")
    epoch = models.PositiveBigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    size_bytes = models.PositiveBigIntegerField()
    frame_count = models.PositiveIntegerField()
    keyframe_count = models.PositiveIntegerField()
    video_codec = models.CharField(max_length=8, blank=True)
    audio_codec = models.CharField(max_length=8, blank=True)
    width_px = models.PositiveIntegerField(default=0)
    height_px = models.PositiveIntegerField(default=0)
    sha256 = models.BinaryField(null=True, max_length=32, help_text="Filled in later by a background pass.")

    objects = SpanQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "started_at", "epoch"], name="segment_natural_key"),
        ]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.started_at:%Y-%m-%d %H:%M:%S}"


class Gap(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="Given by capture.")
    stream = models.ForeignKey("cameras.Stream", on_delete=models.PROTECT, related_name="gaps")
    server = models.ForeignKey("servers.Server", on_delete=models.PROTECT, related_name="+")
    epoch = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="Null while it lasts.")
    cause = models.CharField(max_length=14, choices=GAP_CAUSES)
    detail = models.CharField(max_length=300, blank=True)

    objects = SpanQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["stream", "started_at"]), models.Index(fields=["stream", "ended_at"])]

    def __str__(self) -> str:
        return f"{self.stream_id} {self.cause} {self.started_at:%Y-%m-%d %H:%M:%S}"


class JournalPosition(models.Model):
    """How far a shard's journal is drained; moved in the transaction that writes the rows."""

    server = models.ForeignKey("servers.Server", on_delete=models.CASCADE, related_name="+")
    journal_id = models.CharField(max_length=36, help_text="Made with the journal file: a new file starts anew.")
    sequence = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["server", "journal_id"], name="one_position_per_journal")]

    def __str__(self) -> str:
        return f"{self.journal_id}: {self.sequence}"

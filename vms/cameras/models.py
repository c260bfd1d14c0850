"""Cameras, their streams, and who records them.

A camera has a home server; `Assignment` says which server records it now, with an epoch that only rises, so that a
server which lost a camera can't write its catalogue (design: many servers). A deleted camera keeps its row
(`deleted_at`), for its footage outlives it. `StreamStatus` is what the recorder last reported: volatile, kept apart
from the settings so that a settings row changes only when a person changes it.
"""

import uuid

from django.db import models

from vms.accounts.rights import CAMERA_ACTIONS
from vms.cameras.choices import RecordingMode, StreamKind, StreamState, Transport


class CameraQuerySet(models.QuerySet["Camera"]):
    def existing(self) -> "CameraQuerySet":
        """Without the deleted ones."""
        return self.filter(deleted_at__isnull=True)


class Camera(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey("sites.Site", on_delete=models.PROTECT, related_name="cameras")
    server = models.ForeignKey(
        "servers.Server", on_delete=models.PROTECT, related_name="cameras", help_text="Home server."
    )
    name = models.CharField(max_length=120)
    username = models.CharField(max_length=120, blank=True)
    password_sealed = models.BinaryField(default=b"", blank=True, editable=False)
    transport = models.CharField(max_length=4, choices=Transport, default=Transport.TCP)
    recording_mode = models.CharField(max_length=12, choices=RecordingMode, default=RecordingMode.CONTINUOUS)
    is_enabled = models.BooleanField(default=True)
    is_simulated = models.BooleanField(default=False, help_text="Made by the product itself for a demonstration.")
    restart_count = models.PositiveIntegerField(default=0, help_text="Raised to have the camera reconnect.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = CameraQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["server", "deleted_at"])]
        # What a custom role can be granted on a single camera; Django's own four would mean nothing here.
        default_permissions = ()
        permissions = [(action.value, action.label) for action in sorted(CAMERA_ACTIONS)]

    def __str__(self) -> str:
        return self.name


class Stream(models.Model):
    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="streams")
    kind = models.CharField(max_length=4, choices=StreamKind)
    url = models.CharField(max_length=2000, help_text="Without user name and password.")
    is_enabled = models.BooleanField(default=True, help_text="Off when the camera's settings no longer name it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["camera", "kind"], name="one_stream_of_a_kind_per_camera")]

    def __str__(self) -> str:
        return f"{self.camera_id}.{self.kind}"


class StreamStatus(models.Model):
    stream = models.OneToOneField(Stream, on_delete=models.CASCADE, primary_key=True, related_name="status")
    state = models.CharField(max_length=14, choices=StreamState, default=StreamState.UNKNOWN)
    state_detail = models.CharField(max_length=300, blank=True)
    error_code = models.CharField(max_length=24, blank=True)
    since_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    codec = models.CharField(max_length=8, blank=True)
    audio_codec = models.CharField(max_length=8, blank=True)
    width_px = models.PositiveIntegerField(default=0)
    height_px = models.PositiveIntegerField(default=0)
    fps = models.FloatField(default=0)
    bitrate_bps = models.PositiveBigIntegerField(default=0)
    last_frame_at = models.DateTimeField(null=True)
    last_keyframe_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "stream status"

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.state}"


class Assignment(models.Model):
    """Server `server` records `camera` under `epoch` since `starts_at`; open while `ends_at` is null."""

    camera = models.ForeignKey(Camera, on_delete=models.CASCADE, related_name="assignments")
    server = models.ForeignKey("servers.Server", on_delete=models.PROTECT, related_name="assignments")
    epoch = models.PositiveBigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=40, default="home")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["camera", "epoch"], name="assignment_epoch_unique"),
            models.UniqueConstraint(
                fields=["camera"], condition=models.Q(ends_at__isnull=True), name="one_open_assignment_per_camera"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.camera_id} on {self.server_id}, epoch {self.epoch}"

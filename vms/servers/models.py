"""Servers of the site and their volumes.

A server is a machine with any of the roles; `config_version` rises with every change that concerns its recorder,
in the same transaction, so one cheap read tells the recorder whether anything changed. A volume's ID is the UUID in
its `meta` file: a disk keeps its identity when it moves.
"""

import uuid

from django.db import models

from vms.servers.choices import ServerState, VolumePurpose, VolumeState


class Server(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey("sites.Site", on_delete=models.PROTECT, related_name="servers")
    name = models.SlugField(max_length=63, help_text="Also names the Celery queue and worker.")
    description = models.CharField(max_length=400, blank=True)
    host = models.CharField(max_length=253, default="127.0.0.1", help_text="Address that other servers reach.")
    media_port = models.PositiveIntegerField(default=5011)
    external_media_url = models.CharField(
        max_length=300, blank=True, help_text="Where browsers outside reach the media service, if not at host and port."
    )
    is_main = models.BooleanField(default=False, help_text="Holds the control role of the site.")
    is_recorder = models.BooleanField(default=True)
    state = models.CharField(max_length=12, choices=ServerState, default=ServerState.OFFLINE)
    version = models.CharField(max_length=40, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    config_version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["site", "name"],
                name="server_name_unique_in_site",
                violation_error_message="A server of this name exists already.",
            ),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(is_main=True),
                name="one_main_server_per_site",
                violation_error_message="The site has a main server already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Volume(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="volumes")
    path = models.CharField(max_length=400)
    purpose = models.CharField(max_length=8, choices=VolumePurpose, default=VolumePurpose.ARCHIVE)
    is_enabled = models.BooleanField(default=True, help_text="New footage may be written here.")
    state = models.CharField(max_length=12, choices=VolumeState, default=VolumeState.OK)
    state_detail = models.CharField(max_length=300, blank=True)
    capacity_bytes = models.PositiveBigIntegerField(default=0)
    free_bytes = models.PositiveBigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["server", "path"],
                name="volume_path_unique_on_server",
                violation_error_message="This directory is a volume already.",
            ),
        ]

    def __str__(self) -> str:
        return self.path

"""What keeps the ledger of coverage whole: how far it is, and when a recorder wasn't heard of."""

from django.db import models


class CoverageMark(models.Model):
    """Up to `complete_until` every second of the stream is explained by a row; late rows move it back."""

    stream = models.OneToOneField("cameras.Stream", primary_key=True, on_delete=models.CASCADE, related_name="+")
    complete_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.complete_until:%Y-%m-%d %H:%M:%S}"


class ServerSilence(models.Model):
    """No sign of life came from the recorder of `server`: it was off, or it could not reach the database. Seconds of
    a camera that nothing else explains are then `server_down`."""

    server = models.ForeignKey("servers.Server", on_delete=models.CASCADE, related_name="silences")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["server", "ended_at"])]

    def __str__(self) -> str:
        return f"{self.server_id} {self.started_at:%Y-%m-%d %H:%M:%S} to {self.ended_at:%H:%M:%S}"


class ArchiveCheck(models.Model):
    """One comparison of files and rows on one server's volumes; made by its recorder when a row asks for it."""

    class State(models.TextChoices):
        WANTED = "wanted", "Waiting for the recorder"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    server = models.ForeignKey("servers.Server", on_delete=models.CASCADE, related_name="archive_checks")
    state = models.CharField(max_length=8, choices=State, default=State.WANTED)
    requested_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    finding_count = models.PositiveIntegerField(default=0, help_text="All of them; kept are only the first ones.")
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["server", "state"])]
        constraints = [
            models.UniqueConstraint(
                fields=["server"],
                condition=models.Q(state__in=["wanted", "running"]),
                name="one_archive_check_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.server_id} {self.state} {self.requested_at:%Y-%m-%d %H:%M:%S}"


class ArchiveFinding(models.Model):
    """One difference that a check found."""

    check_run = models.ForeignKey(ArchiveCheck, on_delete=models.CASCADE, related_name="findings")
    difference = models.CharField(max_length=24)
    volume = models.CharField(max_length=36)
    path = models.CharField(max_length=400)
    detail = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.difference} {self.path}"

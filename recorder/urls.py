"""Pages of the recorder. They live here and not in the console, for the site's state imports no other app."""

from django.urls import path

from recorder.pages import archive_check, coverage, retention

app_name = "recorder"

urlpatterns = [
    path("cameras/<uuid:camera_id>/coverage/", coverage.camera_coverage, name="camera-coverage"),
    path("set-up/storage/retention/", retention.retention, name="retention"),
    path("set-up/storage/retention/save/", retention.save, name="save-retention"),
    path("set-up/storage/retention/<int:rule_id>/delete/", retention.remove, name="delete-retention"),
    path("set-up/storage/check/", archive_check.archive_check, name="archive-check"),
    path("set-up/storage/check/start/", archive_check.start, name="start-archive-check"),
]

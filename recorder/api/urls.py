"""Cameras and their footage: everything of the API that needs the recorder."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from recorder.api.archive_check import ArchiveCheckView
from recorder.api.cameras import CameraViewSet, SimulatedCamerasView
from recorder.api.coverage import CameraCoverageView, SiteCoverageView
from recorder.api.media import ClipView, LiveView, PlaybackView, PlaylistView, SnapshotView
from recorder.api.probe import ProbeView
from recorder.api.retention import ForecastView, HoldViewSet, RetentionViewSet
from recorder.api.timeline import TimelineView
from recorder.api.timelines import TimelinesView

router = SimpleRouter()
router.register("cameras", CameraViewSet, basename="api-camera")
router.register("retention", RetentionViewSet, basename="api-retention")
router.register("holds", HoldViewSet, basename="api-hold")

urlpatterns = [
    path("cameras/probe/", ProbeView.as_view(), name="api-probe"),
    path("cameras/simulated/", SimulatedCamerasView.as_view(), name="api-simulated-cameras"),
    path("cameras/<uuid:camera_id>/timeline/", TimelineView.as_view(), name="api-timeline"),
    path("cameras/<uuid:camera_id>/coverage/", CameraCoverageView.as_view(), name="api-camera-coverage"),
    path("coverage/", SiteCoverageView.as_view(), name="api-coverage"),
    path("timeline/", TimelinesView.as_view(), name="api-timelines"),
    path("retention/forecast/", ForecastView.as_view(), name="api-retention-forecast"),
    path("archive/check/", ArchiveCheckView.as_view(), name="api-archive-check"),
    path("cameras/<uuid:camera_id>/clip.mp4", ClipView.as_view(), name="api-clip"),
    path("cameras/<uuid:camera_id>/playlist.m3u8", PlaylistView.as_view(), name="api-playlist"),
    path("cameras/<uuid:camera_id>/snapshot.jpg", SnapshotView.as_view(), name="api-snapshot"),
    path("cameras/<uuid:camera_id>/live/", LiveView.as_view(), name="api-live"),
    path("cameras/<uuid:camera_id>/playback/", PlaybackView.as_view(), name="api-playback"),
    *router.urls,
]

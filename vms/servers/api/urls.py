"""Servers and volumes of the site."""

from rest_framework.routers import SimpleRouter

from vms.servers.api.views import ServerViewSet, VolumeViewSet

router = SimpleRouter()
router.register("servers", ServerViewSet, basename="api-server")
router.register("volumes", VolumeViewSet, basename="api-volume")
urlpatterns = router.urls

"""Events and the audit trail."""

from rest_framework.routers import SimpleRouter

from vms.events.api.views import AuditViewSet, EventViewSet

router = SimpleRouter()
router.register("events", EventViewSet, basename="api-event")
router.register("audit", AuditViewSet, basename="api-audit")
urlpatterns = router.urls

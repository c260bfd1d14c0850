"""All routes. Pages need a signed-in user (LoginRequiredMiddleware); API views declare their own permission."""

from django.urls import include, path

from vms.accounts.admin_site import owner_site
from vms.api.health import MetricsView, ReadyView, healthz
from vms.api.unknown import UnknownView

urlpatterns = [
    path("api/v1/", include("vms.api.urls")),
    path("api/v1/", include("vms.accounts.api.urls")),
    path("api/v1/", include("vms.servers.api.urls")),
    path("api/v1/", include("vms.events.api.urls")),
    path("api/v1/", include("recorder.api.urls")),
    path("api/<path:rest>", UnknownView.as_view()),
    path("admin/", owner_site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", ReadyView.as_view(), name="readyz"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("", include("recorder.urls")),
    path("", include("vms.console.urls")),
]

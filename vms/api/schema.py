"""OpenAPI document and Swagger page (files from the sidecar package: works offline).

The document is kept as docs/reference/openapi.yaml; a test compares, so that a change of the API is seen in review.
"""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import BasePermission

from vms.api.permissions import SIGNED_IN, DenyUnlessDeclared

_PERMISSIONS: list[type[BasePermission]] = [DenyUnlessDeclared]


class SchemaView(SpectacularAPIView):
    required_action = SIGNED_IN
    permission_classes = _PERMISSIONS

    @extend_schema(exclude=True)
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class DocsView(SpectacularSwaggerSplitView):
    """The page's script comes from the same address (`?script`), for the page may hold no inline script."""

    required_action = SIGNED_IN
    permission_classes = _PERMISSIONS
    url_name = "api-schema"

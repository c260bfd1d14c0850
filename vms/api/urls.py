"""The API's own document and its readable pages, for signed-in users only."""

from django.urls import path

from vms.api.schema import DocsView, SchemaView

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("docs/", DocsView.as_view(), name="api-docs"),
]

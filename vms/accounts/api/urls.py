"""API tokens and the signed-in user."""

from django.urls import path

from vms.accounts.api.views import MeView, TokenView

urlpatterns = [
    path("auth/token/", TokenView.as_view(), name="api-token"),
    path("users/me/", MeView.as_view(), name="api-me"),
]

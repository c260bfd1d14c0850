"""What answers below `/api/` where there is nothing: the API's own 404, not a page."""

from __future__ import annotations

from django.http import HttpResponsePermanentRedirect
from django.urls import resolve
from rest_framework.exceptions import NotFound
from rest_framework.views import APIView

from vms.api.permissions import ANYBODY


class UnknownView(APIView):
    required_action = ANYBODY
    authentication_classes = []
    schema = None

    def get(self, request, rest: str):
        """A path that only lacks its last slash leads to the right one."""
        found = resolve(f"{request.path_info}/").func
        if getattr(found, "cls", None) is not UnknownView:
            query = request.META.get("QUERY_STRING")
            return HttpResponsePermanentRedirect(f"{request.path}/{'?' + query if query else ''}")
        raise NotFound

    def post(self, request, rest: str):
        raise NotFound

    put = patch = delete = post

"""Walks all routes: an API view that says nothing about rights must not exist."""

from django.urls import URLResolver, get_resolver

from vms.api.permissions import DenyUnlessDeclared, requirement_of

METHODS = ("get", "post", "put", "patch", "delete")


def walk(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def api_views():
    for route, callback in walk(get_resolver().url_patterns):
        if route.startswith("api/"):
            yield route, callback


def test_there_are_api_routes():
    assert len(list(api_views())) > 20


def test_every_api_view_is_guarded_by_deny_unless_declared():
    for route, callback in api_views():
        view_class = getattr(callback, "cls", None)
        assert view_class is not None, f"{route} is no API view"
        permissions = getattr(callback, "initkwargs", {}).get("permission_classes", view_class.permission_classes)
        assert list(permissions) == [DenyUnlessDeclared], route


def test_every_method_of_every_api_view_declares_a_right():
    for route, callback in api_views():
        view_class, actions = callback.cls, getattr(callback, "actions", None)
        methods = actions or [method for method in METHODS if hasattr(view_class, method)]
        view = view_class(**getattr(callback, "initkwargs", {}))
        for method in methods:
            if method in view_class.http_method_names and method not in ("head", "options"):
                assert requirement_of(view, method.upper()) is not None, f"{method} {route}"


def test_a_view_that_declares_nothing_is_closed_even_to_the_owner(owner, rf):
    from rest_framework.response import Response
    from rest_framework.test import force_authenticate
    from rest_framework.views import APIView

    class Forgetful(APIView):
        def get(self, request):
            return Response({"secret": 1})

    request = rf.get("/")
    force_authenticate(request, owner)
    assert Forgetful.as_view()(request).status_code == 403

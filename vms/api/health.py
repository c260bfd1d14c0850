"""Liveness, readiness and figures for monitoring, at the root of the web service.

`/healthz` is public and says only that the process answers. `/readyz` and `/metrics` name parts and cameras: for this
machine itself, and for whoever may see servers (a bearer token serves a scraper elsewhere).
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.response import Response
from rest_framework.views import APIView

from vms.accounts.rights import Action
from vms.api.metrics import metrics_text
from vms.servers.models import Server

RECORDER_FRESH = timedelta(seconds=10)
"""A recorder reports every second; ten missed ones are no hiccup."""
_REDIS_TIMEOUT_S = 0.5


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


class LoopbackOrServersRight(BasePermission):
    """A request that a proxy on this machine passed on is no request of this machine."""

    def has_permission(self, request, view) -> bool:
        user = request.user
        if user and user.is_authenticated:
            return user.may(Action.VIEW_SERVERS)
        if any(name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA")):
            return False
        try:
            return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
        except ValueError:
            return False


class ReadyView(APIView):
    required_action = Action.VIEW_SERVERS
    permission_classes = [LoopbackOrServersRight]
    schema = None

    def get(self, request) -> Response:
        parts = {"database": _database_part(), "redis": _redis_part()}
        parts["recorder"] = (
            _recorder_part(timezone.now()) if parts["database"]["ok"] else _part(False, "The database doesn't answer.")
        )
        is_ready = all(part["ok"] for part in parts.values())
        return Response({"status": "ok" if is_ready else "degraded", "parts": parts}, status=200 if is_ready else 503)


class MetricsView(APIView):
    required_action = Action.VIEW_SERVERS
    permission_classes = [LoopbackOrServersRight]
    schema = None

    def get(self, request) -> HttpResponse:
        return HttpResponse(metrics_text(timezone.now()), content_type="text/plain; version=0.0.4; charset=utf-8")


def _part(is_ok: bool, detail: str = "") -> dict[str, object]:
    return {"ok": is_ok, "detail": detail}


def _database_part() -> dict[str, object]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as err:
        return _part(False, f"The database doesn't answer ({type(err).__name__}).")
    return _part(True)


def _redis_part() -> dict[str, object]:
    url = settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]
    client = redis.Redis.from_url(url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S)
    try:
        client.ping()
    except redis.RedisError as err:
        return _part(False, f"Redis doesn't answer ({type(err).__name__}).")
    finally:
        client.close()
    return _part(True)


def _recorder_part(now: datetime) -> dict[str, object]:
    late = [
        name
        for name, seen_at in Server.objects.filter(is_recorder=True).values_list("name", "last_seen_at")
        if seen_at is None or now - seen_at > RECORDER_FRESH
    ]
    return _part(not late, f"No report from {', '.join(late)}." if late else "")

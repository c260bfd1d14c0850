"""Retention settings and the forecast per stream."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from recorder.models import Hold, RetentionRule
from recorder.retention.outlook import read_outlooks
from recorder.retention.services import delete_rule, save_rule
from vms.accounts.rights import Action
from vms.cameras.access import access_cameras
from vms.cameras.choices import StreamKind
from vms.console.frame import render_page
from vms.servers.access import access_servers

GB = 1_000_000_000
_LIMITS = ("min_days", "max_days", "max_gb")


@require_safe
def retention(request: HttpRequest) -> HttpResponse:
    if not request.user.may(Action.VIEW_SERVERS):
        raise PermissionDenied
    now = timezone.now()
    rows = [
        row
        for server in access_servers(request.user, Action.VIEW_SERVERS).filter(is_recorder=True)
        for row in read_outlooks(server.pk)
        if row.stream.is_enabled or row.kept_bytes
    ]
    rows.sort(key=lambda row: not row.outlook.is_short)  # what is wrong first
    rules = list(RetentionRule.objects.select_related("camera").order_by("camera__name", "stream_kind"))
    rules.sort(key=lambda rule: rule.camera is not None)
    context = {
        "outlooks": [{"row": row, "breaks_at": row.breaks_at(now)} for row in rows],
        "short_count": sum(row.outlook.is_short for row in rows),
        "rules": rules,
        "kinds": StreamKind.choices,
        "cameras": access_cameras(request.user, Action.MANAGE_CAMERAS),
        "hold_count": Hold.objects.filter(released_at__isnull=True).count(),
    }
    return render_page(request, "recorder/retention.html", context, section="retention")


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Create the rule of the streams that the form names, or change it."""
    camera = None
    if chosen := request.POST.get("camera"):
        try:
            camera = access_cameras(request.user, Action.MANAGE_CAMERAS).filter(pk=chosen).first()
        except ValidationError as err:
            raise Http404 from err
        if camera is None:
            raise Http404
    _require_right(request, camera)
    kind = request.POST.get("stream_kind", "")
    rule = RetentionRule.objects.filter(camera=camera, stream_kind=kind).first() or RetentionRule(
        camera=camera, stream_kind=kind
    )
    try:
        min_days, max_days, max_gb = (_number(request.POST.get(name, "")) for name in _LIMITS)
        limits = {"min_days": min_days, "max_days": max_days, "max_bytes": None if max_gb is None else int(max_gb * GB)}
        _, shortfalls = save_rule(actor=request.user, rule=rule, **limits)
    except ValidationError as err:
        messages.error(request, " ".join(err.messages))
    except ValueError:
        messages.error(request, "Days and gigabytes are numbers from 0 to 100 million.")
    else:
        messages.success(request, "The rule is saved.")
        for shortfall in shortfalls[:5]:
            messages.warning(request, shortfall.sentence)
        if len(shortfalls) > 5:
            messages.warning(request, f"{len(shortfalls) - 5} more promises can't be kept; the table says which.")
    return redirect("recorder:retention")


@require_POST
def remove(request: HttpRequest, rule_id: int) -> HttpResponse:
    rule = RetentionRule.objects.filter(pk=rule_id).select_related("camera__server").first()
    if rule is None:
        raise Http404
    _require_right(request, rule.camera)
    delete_rule(actor=request.user, rule=rule)
    messages.success(request, "The rule is deleted.")
    return redirect("recorder:retention")


def _require_right(request: HttpRequest, camera) -> None:
    if camera is None:
        if not request.user.may(Action.MANAGE_SERVERS):
            raise PermissionDenied
    elif not access_cameras(request.user, Action.MANAGE_CAMERAS).filter(pk=camera.pk).exists():
        raise PermissionDenied


def _number(text: str) -> float | None:
    """Empty is no limit. Raises `ValueError`."""
    if not text.strip():
        return None
    number = float(text)
    if not 0 <= number <= 1e8:
        raise ValueError(text)
    return number

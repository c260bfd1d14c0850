"""The archive check: files and rows compared by a server's recorder, and what it found."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from recorder.api.archive_check import request_check
from recorder.consistency.compare import Difference
from recorder.models import ArchiveCheck
from vms.accounts.rights import Action
from vms.console.frame import render_page
from vms.servers.access import access_servers

ROWS = 100
SENTENCES = {
    Difference.FILE_WITHOUT_ROW: "Files without a row: `manage.py reindex_archive` gives them theirs.",
    Difference.ROW_WITHOUT_FILE: "Rows without a file: the footage is lost, or its disk is not there.",
    Difference.SIZE_DIFFERS: "Files of another size than written down.",
    Difference.FOREIGN_FILE: "Foreign files: left alone.",
    Difference.VOLUME_MISSING: "Volumes that aren't there.",
}


@require_safe
def archive_check(request: HttpRequest) -> HttpResponse:
    if not request.user.may(Action.VIEW_SERVERS):
        raise PermissionDenied
    servers = list(
        access_servers(request.user, Action.VIEW_SERVERS).filter(is_recorder=True).order_by("-is_main", "name")
    )
    wanted = request.GET.get("server")
    server = next((one for one in servers if str(one.pk) == wanted), servers[0] if servers and not wanted else None)
    if server is None and wanted:
        raise Http404
    check = ArchiveCheck.objects.filter(server=server).order_by("-pk").first() if server else None
    counts, page = [], None
    if check is not None:
        rows = check.findings.order_by("difference", "pk")
        told = rows.order_by().values_list("difference").annotate(number=Count("pk"))
        counts = [(SENTENCES.get(difference, difference), number) for difference, number in told]
        page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    context = {
        "servers": servers, "server": server, "check": check, "counts": counts, "page": page,
        "is_busy": check is not None and check.state in (ArchiveCheck.State.WANTED, ArchiveCheck.State.RUNNING),
    }  # fmt: skip
    return render_page(request, "recorder/archive_check.html", context, section="archive-check")


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    if not request.user.may(Action.MANAGE_SERVERS):
        raise PermissionDenied
    servers = access_servers(request.user, Action.MANAGE_SERVERS).filter(is_recorder=True)
    server = next((one for one in servers if str(one.pk) == request.POST.get("server")), None)
    if server is None:
        raise Http404
    request_check(actor=request.user, server=server)
    messages.success(request, f"The recorder of {server.name} compares files and rows now.")
    return redirect("recorder:archive-check")

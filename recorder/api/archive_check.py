"""Files and rows compared: ask for it, and read what the last check of a server found, page by page."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from recorder.api.parameters import SERVER, find_server, read_number
from recorder.consistency.compare import Difference
from recorder.models import ArchiveCheck, ArchiveFinding
from vms.accounts.rights import Action
from vms.api.errors import NotThere, refuse_field
from vms.api.pagination import DefaultPagination
from vms.audit.services import record_audit
from vms.servers.models import Server

DIFFERENCE = OpenApiParameter("difference", str, enum=[one.value for one in Difference])
PAGE = OpenApiParameter("page", int, default=1)


class FindingSerializer(serializers.ModelSerializer):
    difference = serializers.ChoiceField(choices=[one.value for one in Difference])

    class Meta:
        model = ArchiveFinding
        fields = ["difference", "volume", "path", "detail"]


class ArchiveCheckSerializer(serializers.ModelSerializer):
    state = serializers.CharField(help_text="`wanted`, `running`, `done` or `failed`.")
    server_name = serializers.CharField(source="server.name")

    class Meta:
        model = ArchiveCheck
        fields = ["id", "server", "server_name", "state", "requested_at", "started_at", "finished_at", "finding_count",
                  "error"]  # fmt: skip


class ArchiveCheckPageSerializer(ArchiveCheckSerializer):
    count = serializers.IntegerField(help_text="Findings that are kept and match.")
    next = serializers.IntegerField(allow_null=True, help_text="Number of the next page.")
    results = FindingSerializer(many=True)

    class Meta(ArchiveCheckSerializer.Meta):
        fields = [*ArchiveCheckSerializer.Meta.fields, "count", "next", "results"]


class ArchiveCheckView(GenericAPIView):
    required_actions = {"GET": Action.VIEW_SERVERS, "POST": Action.MANAGE_SERVERS}
    queryset = ArchiveCheck.objects.none()
    serializer_class = ArchiveCheckSerializer
    pagination_class = None
    filter_backends: list = []

    @extend_schema(parameters=[SERVER, DIFFERENCE, PAGE], responses={200: ArchiveCheckPageSerializer})
    def get(self, request) -> Response:
        """The newest check of a server and what it found. 404 `never_checked` where there was none."""
        server = find_server(request, Action.VIEW_SERVERS)
        check = ArchiveCheck.objects.filter(server=server).order_by("-pk").first()
        if check is None:
            raise NotThere("never_checked", f"The archive of {server.name} was never checked.")
        found = check.findings.order_by("pk")
        if difference := request.query_params.get("difference"):
            if difference not in list(Difference):
                raise refuse_field("difference", "invalid_choice", "There is no such difference.")
            found = found.filter(difference=difference)
        page, size = read_number(request, "page", 1, 99_999), DefaultPagination.page_size
        count = found.count()
        rows = found[(page - 1) * size : page * size]
        return Response(
            {
                **ArchiveCheckSerializer(check).data,
                "count": count,
                "next": page + 1 if page * size < count else None,
                "results": FindingSerializer(rows, many=True).data,
            }
        )

    @extend_schema(request=None, parameters=[SERVER], responses={202: ArchiveCheckSerializer})
    def post(self, request) -> Response:
        """Have a server's recorder compare its files with the rows. It may take minutes; ask with GET how far it is."""
        server = find_server(request, Action.MANAGE_SERVERS)
        check = request_check(actor=request.user, server=server)
        return Response(ArchiveCheckSerializer(check).data, status=status.HTTP_202_ACCEPTED)


def request_check(*, actor, server: Server) -> ArchiveCheck:
    """A new check, or the one that waits or runs already."""
    try:
        with transaction.atomic():
            check = ArchiveCheck.objects.create(server=server)
            record_audit(actor=actor, action="archive.check_requested", target=server)
            return check
    except IntegrityError:
        running = ArchiveCheck.objects.filter(server=server).exclude(state__in=["done", "failed"]).first()
        return running or ArchiveCheck.objects.create(server=server)

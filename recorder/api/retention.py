"""How long footage stays: rules, holds, and the forecast.

Rules of the whole site need the right to change storage, those of a camera the right to manage it. Holds are set by who
may save clips of the camera and released by who may manage it; what isn't yours looks as if it weren't there.
"""

from __future__ import annotations

import django_filters
from django.core.exceptions import ValidationError as ModelError
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import exceptions, mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.parameters import SERVER, find_server
from recorder.models import Hold, RetentionRule
from recorder.retention.outlook import StreamOutlook, read_outlooks
from recorder.retention.services import Shortfall, create_hold, delete_rule, release_hold, save_rule
from vms.accounts.models import User
from vms.accounts.rights import Action
from vms.api.errors import refuse_field
from vms.api.permissions import on_object
from vms.cameras.access import access_cameras
from vms.cameras.choices import StreamKind
from vms.cameras.models import Camera

MAX_DAYS = 36_500


class ShortfallSerializer(serializers.Serializer):
    camera = serializers.UUIDField()
    camera_name = serializers.CharField()
    stream = serializers.CharField(help_text="`main` or `sub`.")
    promise_days = serializers.FloatField()
    forecast_days = serializers.FloatField()
    missing_bytes = serializers.IntegerField()
    detail = serializers.CharField()


class RuleSerializer(serializers.ModelSerializer):
    """Limits are days, also in parts, and bytes; null: none such. The closest rule counts, whole: camera and stream,
    camera, stream, default."""

    camera = serializers.PrimaryKeyRelatedField(
        queryset=Camera.objects.none(), allow_null=True, required=False, help_text="Null: the site's default."
    )
    stream_kind = serializers.CharField(
        max_length=4, required=False, allow_blank=True, help_text="`main`, `sub`, or empty for both."
    )
    min_days = serializers.FloatField(
        min_value=0,
        max_value=MAX_DAYS,
        allow_null=True,
        required=False,
        help_text="A promise: younger footage goes last.",
    )
    max_days = serializers.FloatField(
        min_value=0, max_value=MAX_DAYS, allow_null=True, required=False, help_text="A law: older footage goes."
    )
    max_bytes = serializers.IntegerField(min_value=0, max_value=2**62, allow_null=True, required=False)
    warnings = serializers.SerializerMethodField()

    class Meta:
        model = RetentionRule
        fields = ["id", "camera", "stream_kind", "min_days", "max_days", "max_bytes", "warnings"]
        validators: list = []

    def get_fields(self):
        fields = super().get_fields()
        request = self.context.get("request")
        if request is not None:
            fields["camera"].queryset = access_cameras(request.user, Action.MANAGE_CAMERAS)
        return fields

    def validate_stream_kind(self, kind: str) -> str:
        if kind and kind not in StreamKind.values:
            raise serializers.ValidationError("A stream is main or sub.", code="invalid_choice")
        return kind

    @extend_schema_field(ShortfallSerializer(many=True))
    def get_warnings(self, rule: RetentionRule) -> list[dict[str, object]]:
        """Promises that the disks can't keep at today's rate; told when the rule is saved."""
        return [describe_shortfall(row) for row in self.context.get("shortfalls", [])]


def describe_shortfall(shortfall: Shortfall) -> dict[str, object]:
    row = shortfall.row
    return {
        "camera": str(row.stream.camera_id),
        "camera_name": row.stream.camera.name,
        "stream": row.stream.kind,
        "promise_days": row.outlook.promise_days,
        "forecast_days": row.outlook.kept_days,
        "missing_bytes": row.outlook.missing_bytes,
        "detail": shortfall.sentence,
    }


_RULES = on_object(Action.MANAGE_CAMERAS)


class RetentionViewSet(viewsets.ModelViewSet):
    """Rules: the site's default and those of single cameras or streams. A promise that the disks can't keep is saved,
    and `warnings` says by how much."""

    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK), "POST": _RULES, "PATCH": _RULES, "DELETE": _RULES}
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    queryset = RetentionRule.objects.none()
    serializer_class = RuleSerializer
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[RetentionRule]:
        reading = self.request.method in ("GET", "HEAD", "OPTIONS")
        cameras = access_cameras(self.request.user, Action.VIEW_PLAYBACK if reading else Action.MANAGE_CAMERAS)
        site = Action.VIEW_SERVERS if reading else Action.MANAGE_SERVERS
        visible = Q(camera__in=cameras)
        if self.request.user.may(site):
            visible |= Q(camera__isnull=True)
        rules = RetentionRule.objects.filter(visible).select_related("camera__server")
        return rules.order_by("camera__name", "stream_kind", "pk")

    def perform_create(self, serializer) -> None:
        given = dict(serializer.validated_data)
        camera, kind = given.pop("camera", None), given.pop("stream_kind", "")
        if camera is None and not self.request.user.may(Action.MANAGE_SERVERS):
            raise exceptions.PermissionDenied("Rules of the whole site need the right to change storage.")
        if RetentionRule.objects.filter(camera=camera, stream_kind=kind).exists():
            raise refuse_field("camera", "exists", "There is a rule for these streams already: change that one.")
        self._save(serializer, RetentionRule(camera=camera, stream_kind=kind), given)

    def perform_update(self, serializer) -> None:
        given = dict(serializer.validated_data)
        rule = serializer.instance
        for name in ("camera", "stream_kind"):
            if name in given and given.pop(name) != getattr(rule, name):
                raise refuse_field(name, "fixed", "A rule stays with its streams: delete it and make another.")
        self._save(serializer, rule, given)

    def _save(self, serializer, rule: RetentionRule, limits: dict) -> None:
        try:
            serializer.instance, shortfalls = save_rule(actor=self.request.user, rule=rule, **limits)
        except ModelError as err:
            raise refuse_field("min_days", "above_max", " ".join(err.messages)) from err
        serializer.context["shortfalls"] = shortfalls

    def perform_destroy(self, instance: RetentionRule) -> None:
        delete_rule(actor=self.request.user, rule=instance)


class HoldSerializer(serializers.ModelSerializer):
    camera = serializers.PrimaryKeyRelatedField(queryset=Camera.objects.none())
    camera_name = serializers.CharField(source="camera.name", read_only=True)
    reason = serializers.CharField(max_length=300)
    created_by = serializers.CharField(source="created_by.username", read_only=True, allow_null=True)
    released_by = serializers.CharField(source="released_by.username", read_only=True, allow_null=True)

    class Meta:
        model = Hold
        fields = ["id", "camera", "camera_name", "started_at", "ended_at", "reason", "created_by", "created_at",
                  "released_by", "released_at"]  # fmt: skip
        read_only_fields = ["created_at", "released_at"]

    def get_fields(self):
        fields = super().get_fields()
        request = self.context.get("request")
        if request is not None:
            fields["camera"].queryset = access_cameras(request.user, Action.EXPORT_CLIP)
        return fields

    def validate(self, attrs):
        if attrs["ended_at"] <= attrs["started_at"]:
            raise serializers.ValidationError({"ended_at": "A hold must end after it starts."}, code="empty_span")
        return attrs


class HoldFilter(django_filters.FilterSet):
    camera = django_filters.UUIDFilter(field_name="camera_id")
    is_released = django_filters.BooleanFilter(field_name="released_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Hold
        fields: list[str] = []


class HoldViewSet(mixins.CreateModelMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Spans of footage that retention must not take. A hold outlives its camera."""

    required_actions = {"GET": on_object(Action.VIEW_PLAYBACK), "POST": on_object(Action.EXPORT_CLIP)}
    queryset = Hold.objects.none()
    serializer_class = HoldSerializer
    filterset_class = HoldFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Hold]:
        return visible_holds(self.request.user, Action.VIEW_PLAYBACK)

    def perform_create(self, serializer) -> None:
        serializer.instance = create_hold(actor=self.request.user, **serializer.validated_data)

    @extend_schema(request=None, responses={200: HoldSerializer, 409: OpenApiResponse(description="Released before.")})
    @action(detail=True, methods=["post"], required_actions={"POST": on_object(Action.MANAGE_CAMERAS)})
    def release(self, request, pk=None) -> Response:
        """Let retention have the footage again, by the rules."""
        hold = visible_holds(request.user, Action.MANAGE_CAMERAS).filter(pk=pk).first()
        if hold is None:
            raise Http404
        is_mine = release_hold(actor=request.user, hold=hold)
        code = status.HTTP_200_OK if is_mine else status.HTTP_409_CONFLICT
        return Response(HoldSerializer(hold, context={"request": request}).data, status=code)


def visible_holds(user: User, needed: Action) -> QuerySet[Hold]:
    """Of the cameras on which the user may do `needed`; of deleted cameras too, where the role may it everywhere."""
    holds = Hold.objects.select_related("camera", "created_by", "released_by").order_by("-created_at", "pk")
    if user.is_authenticated and user.is_active and user.may(needed):
        return holds
    return holds.filter(camera__in=access_cameras(user, needed))


class OutlookSerializer(serializers.Serializer):
    camera = serializers.UUIDField()
    camera_name = serializers.CharField()
    stream = serializers.CharField(help_text="`main` or `sub`.")
    kept_bytes = serializers.IntegerField()
    held_bytes = serializers.IntegerField()
    rate_bytes_per_day = serializers.IntegerField()
    footage_from = serializers.DateTimeField(allow_null=True)
    forecast_days = serializers.FloatField(allow_null=True, help_text="Null: more than ten years, or at rest.")
    promise_days = serializers.FloatField(allow_null=True)
    promise_breaks_at = serializers.DateTimeField(allow_null=True)
    missing_bytes = serializers.IntegerField()
    detail = serializers.CharField()


class ForecastSerializer(serializers.Serializer):
    server = serializers.UUIDField()
    streams = OutlookSerializer(many=True)


class ForecastView(APIView):
    required_actions = {"GET": Action.VIEW_SERVERS}

    @extend_schema(parameters=[SERVER], responses={200: ForecastSerializer})
    def get(self, request) -> Response:
        """How long footage of each stream will stay at today's rate, and which promise breaks when."""
        server = find_server(request, Action.VIEW_SERVERS)
        now = timezone.now()
        return Response(
            {
                "server": server.pk,
                "streams": [describe_outlook(row, now) for row in read_outlooks(server.pk)],
            }
        )


def describe_outlook(row: StreamOutlook, now) -> dict[str, object]:
    return {
        "camera": row.stream.camera_id,
        "camera_name": row.stream.camera.name,
        "stream": row.stream.kind,
        "kept_bytes": row.kept_bytes,
        "held_bytes": row.held_bytes,
        "rate_bytes_per_day": int(row.rate_bytes_per_day),
        "footage_from": row.oldest_at,
        "forecast_days": row.outlook.kept_days,
        "promise_days": row.outlook.promise_days,
        "promise_breaks_at": row.breaks_at(now),
        "missing_bytes": row.outlook.missing_bytes,
        "detail": row.sentence,
    }

"""What happened (events) and who did what (audit), newest first, by cursor."""

from __future__ import annotations

import django_filters
from django.db.models import Q
from rest_framework import mixins, serializers, viewsets

from vms.accounts.rights import Action
from vms.api.pagination import NewestFirstPagination
from vms.api.permissions import on_object
from vms.audit.models import AuditEntry
from vms.cameras.access import access_cameras
from vms.events.models import Event, Severity


class EventSerializer(serializers.ModelSerializer):
    severity = serializers.ChoiceField(choices=Severity.choices, read_only=True)

    class Meta:
        model = Event
        fields = ["id", "at", "kind", "severity", "camera", "server", "detail"]
        read_only_fields = fields


class EventFilter(django_filters.FilterSet):
    camera = django_filters.UUIDFilter(field_name="camera_id")
    server = django_filters.UUIDFilter(field_name="server_id")
    kind = django_filters.CharFilter(field_name="kind")
    severity = django_filters.ChoiceFilter(field_name="severity", choices=Severity.choices)
    time_from = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    time_to = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []


class EventViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Events of the cameras the user may see; those of servers for whoever may see servers."""

    required_action = on_object(Action.VIEW_EVENTS)
    queryset = Event.objects.none()
    serializer_class = EventSerializer
    filterset_class = EventFilter
    pagination_class = NewestFirstPagination
    cursor_ordering = ["-at", "id"]
    lookup_value_converter = "uuid"

    def get_queryset(self):
        user = self.request.user
        visible = Q(camera__in=access_cameras(user, Action.VIEW_EVENTS).order_by().values("pk"))
        if user.is_authenticated and user.may(Action.VIEW_SERVERS):
            visible |= Q(camera__isnull=True)
        return Event.objects.filter(visible)


class AuditSerializer(serializers.ModelSerializer):
    detail = serializers.DictField(read_only=True)

    class Meta:
        model = AuditEntry
        fields = ["id", "at", "actor", "actor_name", "address", "action", "object_type", "object_id", "object_name",
                  "outcome", "detail"]  # fmt: skip
        read_only_fields = fields


class AuditFilter(django_filters.FilterSet):
    actor = django_filters.UUIDFilter(field_name="actor_id")
    action = django_filters.CharFilter(field_name="action")
    object_id = django_filters.CharFilter(field_name="object_id")
    time_from = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    time_to = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


class AuditViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """The audit trail; nothing in it can be changed."""

    required_action = Action.VIEW_AUDIT
    queryset = AuditEntry.objects.all()
    serializer_class = AuditSerializer
    filterset_class = AuditFilter
    pagination_class = NewestFirstPagination
    cursor_ordering = ["-id"]
    lookup_value_converter = "int"

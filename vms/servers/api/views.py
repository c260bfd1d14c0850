"""Servers and volumes: read by operators, a few settings changed by administrators."""

from __future__ import annotations

import django_filters
from rest_framework import mixins, serializers, viewsets

from vms.accounts.rights import Action
from vms.servers.access import access_servers, access_volumes
from vms.servers.choices import ServerState, VolumePurpose, VolumeState
from vms.servers.models import Server, Volume
from vms.servers.services import update_server, update_volume


class ServerSerializer(serializers.ModelSerializer):
    state = serializers.ChoiceField(choices=ServerState.choices, read_only=True)

    class Meta:
        model = Server
        fields = ["id", "name", "description", "host", "media_port", "external_media_url", "is_main", "is_recorder",
                  "state", "version", "last_seen_at", "created_at"]  # fmt: skip
        read_only_fields = [name for name in fields if name not in ("description", "external_media_url")]

    def validate_external_media_url(self, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise serializers.ValidationError("The URL must begin with http:// or https://.", code="bad_scheme")
        return value.rstrip("/")


class VolumeSerializer(serializers.ModelSerializer):
    server_name = serializers.CharField(source="server.name", read_only=True)
    state = serializers.ChoiceField(choices=VolumeState.choices, read_only=True)
    purpose = serializers.ChoiceField(choices=VolumePurpose.choices, read_only=True)

    class Meta:
        model = Volume
        fields = ["id", "server", "server_name", "path", "purpose", "is_enabled", "state", "state_detail",
                  "capacity_bytes", "free_bytes", "checked_at", "created_at"]  # fmt: skip
        read_only_fields = [name for name in fields if name != "is_enabled"]


class VolumeFilter(django_filters.FilterSet):
    server = django_filters.UUIDFilter(field_name="server_id")

    class Meta:
        model = Volume
        fields = ["server", "is_enabled"]


class _ReadAndPatch(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, viewsets.GenericViewSet):
    required_actions = {"GET": Action.VIEW_SERVERS, "PATCH": Action.MANAGE_SERVERS}
    http_method_names = ["get", "patch", "head", "options"]
    lookup_value_converter = "uuid"

    @property
    def needed_action(self) -> Action:
        return Action.MANAGE_SERVERS if self.request.method == "PATCH" else Action.VIEW_SERVERS


class ServerViewSet(_ReadAndPatch):
    """Servers of the site. `description` and `external_media_url` can be changed."""

    queryset = Server.objects.none()
    serializer_class = ServerSerializer

    def get_queryset(self):
        return access_servers(self.request.user, self.needed_action)

    def perform_update(self, serializer) -> None:
        serializer.instance = update_server(
            actor=self.request.user, server=serializer.instance, **serializer.validated_data
        )


class VolumeViewSet(_ReadAndPatch):
    """Where footage is kept. `is_enabled` can be changed: off, nothing new is written, the old stays readable."""

    queryset = Volume.objects.none()
    serializer_class = VolumeSerializer
    filterset_class = VolumeFilter

    def get_queryset(self):
        return access_volumes(self.request.user, self.needed_action)

    def perform_update(self, serializer) -> None:
        serializer.instance = update_volume(
            actor=self.request.user, volume=serializer.instance, **serializer.validated_data
        )

"""Cameras: list, add, change, delete, restart. Reading is for whoever may watch, the rest for administrators."""

from __future__ import annotations

import django_filters
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import APIView

from recorder.api.camera_serializers import CameraSerializer
from vms.accounts.rights import Action
from vms.api.permissions import on_object
from vms.cameras.access import access_camera, access_cameras
from vms.cameras.choices import StreamState
from vms.cameras.models import Camera
from vms.cameras.services import (
    create_camera,
    delete_camera,
    remove_simulated_cameras,
    restart_camera,
    update_camera,
)
from vms.cameras.states import CameraWithState, with_streams


class CameraFilter(django_filters.FilterSet):
    state = django_filters.MultipleChoiceFilter(choices=StreamState.choices)
    server = django_filters.UUIDFilter(field_name="server_id")
    is_enabled = django_filters.BooleanFilter()
    is_simulated = django_filters.BooleanFilter()
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", help_text="Part of the name.")

    class Meta:
        model = Camera
        fields: list[str] = []


_MANAGE_ONE = {"POST": on_object(Action.MANAGE_CAMERAS)}


class CameraViewSet(viewsets.ModelViewSet):
    """Cameras that the user may watch. What isn't yours looks as if it weren't there (404)."""

    required_actions = {
        "GET": on_object(Action.VIEW_LIVE),
        "POST": Action.MANAGE_CAMERAS,
        "PATCH": on_object(Action.MANAGE_CAMERAS),
        "DELETE": on_object(Action.MANAGE_CAMERAS),
    }
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    queryset = Camera.objects.none()
    serializer_class = CameraSerializer
    filterset_class = CameraFilter
    lookup_value_converter = "uuid"

    def get_queryset(self):
        reading = self.request.method in ("GET", "HEAD", "OPTIONS")
        needed = Action.VIEW_LIVE if reading else Action.MANAGE_CAMERAS
        return with_streams(access_cameras(self.request.user, needed), timezone.now())

    def perform_create(self, serializer) -> None:
        given = {name: value for name, value in serializer.validated_data.items() if value is not None}
        serializer.instance = self._read_back(create_camera(actor=self.request.user, **given))

    def perform_update(self, serializer) -> None:
        camera = update_camera(actor=self.request.user, camera=serializer.instance, **serializer.validated_data)
        serializer.instance = self._read_back(camera)

    def perform_destroy(self, instance: Camera) -> None:
        """The footage stays until retention takes it."""
        delete_camera(actor=self.request.user, camera=instance)

    def _read_back(self, camera: Camera) -> CameraWithState:
        return with_streams(Camera.objects.filter(pk=camera.pk), timezone.now()).get()

    @extend_schema(request=None, responses={202: OpenApiResponse(description="The recorder connects anew.")})
    @action(detail=True, methods=["post"], required_actions=_MANAGE_ONE)
    def restart(self, request, pk=None) -> Response:
        """Have the recorder drop the connection to the camera and connect anew."""
        camera = access_camera(request.user, pk, Action.MANAGE_CAMERAS)
        restart_camera(actor=request.user, camera=camera)
        return Response(status=status.HTTP_202_ACCEPTED)


class SimulatedCamerasView(APIView):
    required_actions = {"DELETE": Action.MANAGE_CAMERAS}

    @extend_schema(
        request=None,
        responses={
            (200, "application/json"): inline_serializer("RemovedCameras", {"removed": serializers.IntegerField()})
        },
    )
    def delete(self, request) -> Response:
        """Remove every demonstration camera."""
        return Response({"removed": remove_simulated_cameras(actor=request.user)})

"""How errors are told in the OpenAPI document: one shape for all of them.

Loaded by the framework while its views are being defined, so it imports none.
"""

from __future__ import annotations

from drf_standardized_errors.openapi import AutoSchema
from rest_framework import serializers

from vms.api.permissions import ANYBODY, SIGNED_IN, requirement_of


class ErrorSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="For programs; docs/reference/errors.md lists them.")
    detail = serializers.CharField(help_text="A sentence for people.")
    attr = serializers.CharField(allow_null=True, help_text="The field or parameter that it is about.")


class ErrorResponseSerializer(serializers.Serializer):
    """Every error has this shape."""

    def get_fields(self) -> dict[str, serializers.Field]:
        # Not as attributes: `errors` is a property of every serializer.
        return {
            "type": serializers.ChoiceField(choices=["validation_error", "client_error", "server_error"]),
            "errors": ErrorSerializer(many=True),
        }


class ErrorShapeSchema(AutoSchema):
    """One shape for all errors, instead of one component per call and field."""

    _TOLD = ("400", "401", "403", "404", "429")

    def _get_allowed_error_status_codes(self) -> list[str]:
        return list(self._TOLD)

    def _get_error_response_serializer(self, status_code: str):
        return ErrorResponseSerializer

    def _get_error_response_examples(self) -> list:
        return []

    def _should_add_http403_error_response(self) -> bool:
        return requirement_of(self.view, self.method) not in (ANYBODY, SIGNED_IN)

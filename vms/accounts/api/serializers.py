"""Shapes of tokens and users in the API."""

from rest_framework import serializers

from vms.accounts.models import User
from vms.accounts.rights import Action, Role


class CredentialsSerializer(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="Shown this once; send it as `Authorization: Bearer <token>`.")
    expires_at = serializers.DateTimeField()


class MeSerializer(serializers.ModelSerializer):
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    actions = serializers.SerializerMethodField(help_text="What the role allows on the whole site.")

    class Meta:
        model = User
        fields = ["id", "username", "first_name", "last_name", "role", "actions"]
        read_only_fields = fields

    def get_actions(self, user: User) -> list[str]:
        return [action.value for action in Action if user.may(action)]

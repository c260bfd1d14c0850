"""Getting and giving back an API token; who am I."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema
from knox.models import AuthToken
from rest_framework import exceptions, status
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from vms.accounts.api.serializers import CredentialsSerializer, MeSerializer, TokenSerializer
from vms.accounts.exceptions import LockedOutError, WrongCredentialsError
from vms.accounts.services import authenticate_person, note_sign_out
from vms.api.authentication import BearerTokenAuthentication
from vms.api.permissions import ANYBODY, SIGNED_IN


class SignInThrottle(SimpleRateThrottle):
    """Ten tries a minute from one address, whatever the names. Forwarding headers are not believed."""

    scope = "sign_in"
    rate = "10/min"

    def get_cache_key(self, request, view) -> str | None:
        if request.method != "POST":
            return None
        return f"throttle_sign_in_{request.META.get('REMOTE_ADDR', '')}"


class WrongCredentials(exceptions.APIException):
    status_code = status.HTTP_401_UNAUTHORIZED
    auth_header = "Bearer"
    default_code = WrongCredentialsError.code
    default_detail = str(WrongCredentialsError())


class LockedOut(exceptions.Throttled):
    default_code = LockedOutError.code
    extra_detail_singular = extra_detail_plural = ""

    def __init__(self, error: LockedOutError) -> None:
        super().__init__(detail=str(error))
        self.wait = error.retry_after_s


class TokenView(APIView):
    """Tokens last 12 hours and belong to one program or device each."""

    required_actions = {"POST": ANYBODY, "DELETE": SIGNED_IN}
    authentication_classes = [BearerTokenAuthentication]
    parser_classes = [JSONParser]
    throttle_classes = [SignInThrottle]

    def get_authenticators(self):
        # Asking for a token with an old one in the header must work.
        return [] if self.request is not None and self.request.method == "POST" else super().get_authenticators()

    @extend_schema(request=CredentialsSerializer, responses={200: TokenSerializer}, auth=[])
    def post(self, request: Request) -> Response:
        """Get a token for a user name and password."""
        given = CredentialsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            user = authenticate_person(
                **given.validated_data, address=request.META.get("REMOTE_ADDR") or None, via="api"
            )
        except WrongCredentialsError as err:
            raise WrongCredentials from err
        except LockedOutError as err:
            raise LockedOut(err) from err
        row, token = AuthToken.objects.create(user=user)
        return Response(TokenSerializer({"token": token, "expires_at": row.expiry}).data)

    @extend_schema(request=None, responses={204: OpenApiResponse(description="The token is void.")})
    def delete(self, request: Request) -> Response:
        """Sign out: void this token and every media URL made for its user."""
        token: AuthToken = request.auth  # the only way in here
        token.delete()
        note_sign_out(user=token.user, via="api")
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    required_action = SIGNED_IN

    @extend_schema(responses={200: MeSerializer})
    def get(self, request: Request) -> Response:
        """The signed-in user and what the role allows."""
        return Response(MeSerializer(request.user).data)

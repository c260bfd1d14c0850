import pytest
from knox.models import AuthToken
from rest_framework.test import APIClient

from tests.people import PASSWORD
from vms.accounts.models import SignInFailures
from vms.accounts.services import set_user_active
from vms.audit.models import AuditEntry

URL = "/api/v1/auth/token/"


def ask(username="viewer", password=PASSWORD, **extra):
    return APIClient().post(URL, {"username": username, "password": password}, **extra)


def bearer(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def test_a_token_opens_the_api_until_it_is_given_back(viewer, server):
    answer = ask()
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "expires_at"}
    client = bearer(answer.json()["token"])
    assert client.get("/api/v1/users/me/").json()["username"] == "viewer"
    assert client.delete(URL).status_code == 204
    assert client.get("/api/v1/users/me/").status_code == 401
    viewer.refresh_from_db()
    assert viewer.media_valid_from is not None
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == ["sign_in", "sign_out"]


def test_wrong_password_and_unknown_name_get_the_same_answer(viewer):
    wrong, unknown = ask(password="nonsense"), ask(username="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["errors"][0]["code"] == "wrong_credentials"
    assert AuditEntry.objects.filter(action="sign_in_failed", outcome="refused").count() == 2


def test_the_seventh_wrong_try_locks_even_the_right_password(viewer):
    for _ in range(7):
        assert ask(password="nonsense").status_code == 401
    locked = ask()
    assert locked.status_code == 429
    assert locked.json()["errors"][0]["code"] == "locked"
    assert 0 < int(locked.headers["Retry-After"]) <= 1801
    assert ask(REMOTE_ADDR="10.9.9.9").status_code == 200, "another address is not locked"


def test_a_password_typed_as_name_is_kept_nowhere(viewer):
    ask(username="hunter2-hunter2")
    assert "hunter2" not in str(list(SignInFailures.objects.values_list("username", flat=True)))
    assert "hunter2" not in str(list(AuditEntry.objects.values()))


def test_ten_tries_a_minute_from_one_address_whatever_it_claims_to_forward(viewer):
    answers = [ask(username=f"n{i}", HTTP_X_FORWARDED_FOR=f"10.0.0.{i}").status_code for i in range(11)]
    assert answers == [401] * 10 + [429]


def test_a_disabled_user_gets_no_token_and_loses_the_old_ones(viewer, owner):
    client = bearer(ask().json()["token"])
    set_user_active(actor=owner, user=viewer, is_active=False)
    assert client.get("/api/v1/users/me/").status_code == 401
    assert ask().status_code == 401
    assert not AuthToken.objects.filter(user=viewer).exists()


@pytest.mark.parametrize("token", ["nonsense", "é", "a b", ""])
def test_a_token_that_is_none_gets_401(db, token):
    assert bearer(token).get("/api/v1/users/me/").status_code == 401


@pytest.mark.parametrize("body", [{}, {"username": "x"}, {"username": "x" * 200, "password": "y"}, [1], "text"])
def test_a_malformed_request_for_a_token_gets_400(db, body):
    answer = APIClient().post(URL, body)
    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_the_signed_in_user_sees_what_the_role_allows(operator, api_of):
    me = api_of(operator).get("/api/v1/users/me/").json()
    assert me["role"] == "operator"
    assert "export_clip" in me["actions"] and "manage_cameras" not in me["actions"]
    assert "password" not in str(me)
    assert APIClient().get("/api/v1/users/me/").status_code == 401

"""Signing in and out, and the one-time set-up of the owner, as pages."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.people import PASSWORD
from vms.accounts.models import User
from vms.accounts.services import make_setup_link

pytestmark = pytest.mark.django_db


def test_a_page_leads_to_sign_in_and_back(owner):
    client = Client()
    answer = client.get("/set-up/cameras/")
    assert answer.status_code == 302
    assert answer.url == "/sign-in/?next=/set-up/cameras/"
    answer = client.post(answer.url, {"username": "owner", "password": PASSWORD, "next": "/set-up/cameras/"})
    assert (answer.status_code, answer.url) == (302, "/set-up/cameras/")


def test_sign_in_never_leads_to_another_site(owner):
    for wanted in ("https://evil.test/", "//evil.test/", "javascript:alert(1)"):
        client = Client()
        answer = client.post("/sign-in/", {"username": "owner", "password": PASSWORD, "next": wanted})
        assert answer.url == "/"


def test_a_wrong_password_keeps_the_name_and_says_nothing_more(owner):
    answer = Client().post("/sign-in/", {"username": "owner", "password": "wrong"})
    assert answer.status_code == 401
    text = answer.content.decode()
    assert "User name or password is wrong." in text
    assert 'value="owner"' in text
    assert 'value="wrong"' not in text


def test_the_seventh_wrong_try_locks_even_the_right_password(owner):
    client = Client()
    for _ in range(7):
        client.post("/sign-in/", {"username": "owner", "password": "wrong"})
    answer = client.post("/sign-in/", {"username": "owner", "password": PASSWORD})
    assert answer.status_code == 429
    assert "Too many wrong tries" in answer.content.decode()


def test_sign_out_needs_a_post_and_ends_the_session(owner, client_of):
    client = client_of(owner)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").url == "/sign-in/"
    assert client.get("/").status_code == 302


def test_forms_are_refused_without_their_token(owner):
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/sign-in/", {"username": "owner", "password": PASSWORD})
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


def test_the_setup_link_makes_the_owner_once():
    token = make_setup_link()
    client = Client()
    form = {"site_name": "Harbour", "username": "ada", "password": PASSWORD, "password_again": PASSWORD}
    assert client.get(f"/set-up/{token}/").status_code == 200
    assert client.post(f"/set-up/{token}/", form).url == "/"
    assert client.get("/").status_code == 200
    assert User.objects.get().role == "owner"
    answer = Client().get(f"/set-up/{token}/")
    assert answer.status_code == 404
    assert "no longer valid" in answer.content.decode()


def test_setup_says_what_is_wrong_with_a_password_and_stays_open():
    token = make_setup_link()
    client = Client()
    form = {"username": "ada", "password": "short", "password_again": "short"}
    assert "at least 12 characters" in client.post(f"/set-up/{token}/", form).content.decode()
    form = {"username": "ada", "password": PASSWORD, "password_again": PASSWORD + "!"}
    assert "The two passwords differ." in client.post(f"/set-up/{token}/", form).content.decode()
    assert not User.objects.exists()
    assert client.get(f"/set-up/{token}/").status_code == 200


def test_a_made_up_setup_link_opens_nothing():
    answer = Client().get("/set-up/abcdef/")
    assert answer.status_code == 404
    assert "no longer valid" in answer.content.decode()

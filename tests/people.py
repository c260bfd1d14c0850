"""The people of every test: one of each role, and a stranger who holds no right on anything.

Fixtures make rows; `client_of` and `api_of` sign a person in as a page or as a program.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from vms.accounts.models import User
from vms.accounts.rights import Role

PASSWORD = "herons stand still"


def make_person(username: str, role: Role, **fields) -> User:
    return User.objects.create_user(username=username, password=PASSWORD, role=role, **fields)


@pytest.fixture
def owner(db) -> User:
    return make_person("owner", Role.OWNER, is_staff=True, is_superuser=True)


@pytest.fixture
def administrator(db) -> User:
    return make_person("administrator", Role.ADMINISTRATOR)


@pytest.fixture
def operator(db) -> User:
    return make_person("operator", Role.OPERATOR)


@pytest.fixture
def viewer(db) -> User:
    return make_person("viewer", Role.VIEWER)


@pytest.fixture
def stranger(db) -> User:
    """A custom role without a single grant."""
    return make_person("stranger", Role.CUSTOM)


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    """A browser in which the person is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def api_of() -> Callable[[User], APIClient]:
    """An API client of the person."""

    def sign_in(user: User) -> APIClient:
        client = APIClient()
        client.force_login(user)
        return client

    return sign_in

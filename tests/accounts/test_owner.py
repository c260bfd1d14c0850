import io
import threading

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from vms.accounts.exceptions import SetupClosedError
from vms.accounts.models import User
from vms.accounts.rights import Role
from vms.accounts.services import create_owner, create_owner_directly, is_setup_open, make_setup_link
from vms.sites.models import Site

PASSWORD = "herons stand still"


@pytest.mark.django_db
def test_a_set_up_link_works_once_and_closes_for_good():
    token = make_setup_link()
    assert is_setup_open(token) and not is_setup_open("other")
    owner = create_owner(token=token, username="ada", password=PASSWORD, site_name="Harbour office")
    assert owner.role == Role.OWNER and owner.check_password(PASSWORD)
    assert Site.objects.get().name == "Harbour office"
    assert not is_setup_open(token)
    with pytest.raises(SetupClosedError):
        create_owner(token=token, username="eve", password=PASSWORD)
    with pytest.raises(SetupClosedError):
        make_setup_link()


@pytest.mark.django_db
def test_a_newer_link_voids_the_older():
    old, new = make_setup_link(), make_setup_link()
    with pytest.raises(SetupClosedError):
        create_owner(token=old, username="eve", password=PASSWORD)
    assert create_owner(token=new, username="ada", password=PASSWORD).pk


@pytest.mark.django_db
@pytest.mark.parametrize(("username", "password"), [("ada", "short"), ("", PASSWORD), ("a b!", PASSWORD), ("ada", "")])
def test_a_refused_name_or_password_leaves_the_link_open(username, password):
    token = make_setup_link()
    with pytest.raises(ValidationError):
        create_owner(token=token, username=username, password=password)
    assert is_setup_open(token)


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_becomes_owner():
    token = make_setup_link()
    start, outcomes = threading.Barrier(4), []

    def attempt(number: int) -> None:
        start.wait()
        while True:
            try:
                create_owner(token=token, username=f"user{number}", password=PASSWORD)
                outcomes.append("owner")
            except SetupClosedError:
                outcomes.append("closed")
            except OperationalError:  # SQLite in memory doesn't wait for a lock, the one on disk does
                continue
            finally:
                connection.close()
            return

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["closed", "closed", "closed", "owner"]
    assert User.objects.filter(role=Role.OWNER).count() == 1


@pytest.mark.django_db
def test_the_command_makes_the_owner_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    call_command("createowner", "ada", stdout=io.StringIO())
    assert User.objects.get(username="ada").role == Role.OWNER
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    with pytest.raises(CommandError, match="already"):
        call_command("createowner", "eve")


@pytest.mark.django_db
def test_a_name_that_is_taken_is_said_so(viewer):
    with pytest.raises(ValidationError, match="exists"):
        create_owner_directly(username="viewer", password=PASSWORD)

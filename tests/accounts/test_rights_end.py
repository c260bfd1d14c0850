import pytest
from django.conf import settings
from django.test import Client
from knox.models import AuthToken

from vms.accounts.services import change_password, note_sign_out, set_user_active
from vms.servers.local import ensure_local_server
from vms.servers.models import Server

pytestmark = pytest.mark.django_db


def test_signing_out_voids_media_urls_and_tells_the_recorders(viewer):
    server = ensure_local_server()
    note_sign_out(user=viewer)
    viewer.refresh_from_db()
    assert viewer.media_valid_from is not None
    assert Server.objects.get(pk=server.pk).config_version == server.config_version + 1


def test_a_new_password_ends_tokens_and_sessions(viewer, administrator, client_of):
    client = client_of(viewer)
    AuthToken.objects.create(user=viewer)
    change_password(actor=administrator, user=viewer, password="another long one")
    assert not AuthToken.objects.exists()
    assert client.get("/api/v1/users/me/").status_code == 401


def test_the_owner_cannot_be_shut_out(owner, administrator):
    with pytest.raises(ValueError, match="owner"):
        set_user_active(actor=administrator, user=owner, is_active=False)


@pytest.mark.parametrize("person", ["administrator", "viewer"])
def test_the_admin_pages_are_for_the_owner_alone(person, request, owner, client_of):
    assert client_of(owner).get("/admin/").status_code == 200
    for client in (client_of(request.getfixturevalue(person)), Client()):
        answer = client.get("/admin/", follow=False)
        while answer.status_code == 302 and answer.headers["Location"].startswith("/admin/"):
            answer = client.get(answer.headers["Location"])
        assert answer.status_code == 302 and answer.headers["Location"].startswith(settings.LOGIN_URL)


def test_the_admin_pages_show_every_table_and_change_none(owner, client_of):
    from vms.accounts.admin_site import owner_site
    from vms.cameras.services import create_camera

    create_camera(actor=owner, name="Gate", main_url="rtsp://10.0.0.5/1", password="hunter2")
    client = client_of(owner)
    assert len(owner_site._registry) >= 10
    for model, registered in owner_site._registry.items():
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(base).status_code == 200, base
        assert client.get(f"{base}add/").status_code == 403
        row = model.objects.first()
        if row is not None:
            page = client.get(f"{base}{row.pk}/change/")
            assert page.status_code == 200, base
            for secret in ("field-password", "argon2", "md5$", "hunter2"):
                assert secret not in page.content.decode(), base
            assert client.post(f"{base}{row.pk}/change/", {}).status_code == 403
            assert client.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert registered.has_view_permission is not None

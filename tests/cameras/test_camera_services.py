import pytest
from django.utils import timezone

from vms.audit.models import AuditEntry
from vms.cameras.models import Assignment
from vms.cameras.sealing import SealBrokenError, open_password
from vms.cameras.services import create_camera, delete_camera, restart_camera, update_camera
from vms.servers.local import ensure_local_server
from vms.servers.models import Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    return ensure_local_server()


@pytest.fixture
def camera(server):
    return create_camera(
        actor=None, name="Gate", main_url="rtsp://10.0.0.5/1", sub_url="rtsp://10.0.0.5/2", username="root",
        password="hunter2",
    )  # fmt: skip


def version(server) -> int:
    return Server.objects.get(pk=server.pk).config_version


def test_every_change_raises_the_servers_config_version_and_no_change_does_not(server, camera):
    seen = [version(server)]
    for change in (
        lambda: update_camera(actor=None, camera=camera, name="Pier"),
        lambda: update_camera(actor=None, camera=camera, password="new"),
        lambda: update_camera(actor=None, camera=camera, sub_url=""),
        lambda: restart_camera(actor=None, camera=camera),
        lambda: delete_camera(actor=None, camera=camera),
    ):
        change()
        seen.append(version(server))
    assert seen == sorted(set(seen))
    other = create_camera(actor=None, name="Other", main_url="rtsp://10.0.0.6/1")
    before, entries = version(server), AuditEntry.objects.count()
    update_camera(actor=None, camera=other, name="Other", main_url="rtsp://10.0.0.6/1", password="")
    assert version(server) == before and AuditEntry.objects.count() == entries


def test_an_emptied_sub_stream_keeps_its_row(camera):
    update_camera(actor=None, camera=camera, sub_url="")
    assert camera.streams.get(kind="sub").is_enabled is False
    update_camera(actor=None, camera=camera, sub_url="rtsp://10.0.0.5/3")
    sub = camera.streams.get(kind="sub")
    assert sub.is_enabled and sub.url.endswith("/3")


def test_a_move_raises_the_epoch_and_tells_both_servers(server, camera):
    other = Server.objects.create(site=server.site, name="other")
    before = version(server), version(other)
    update_camera(actor=None, camera=camera, server=other)
    assert (version(server), version(other)) == (before[0] + 1, before[1] + 1)
    rows = Assignment.objects.filter(camera=camera).order_by("epoch").values_list("server__name", "epoch")
    assert list(rows) == [("main", 1), ("other", 2)]
    assert Assignment.objects.filter(camera=camera, ends_at__isnull=True).count() == 1
    update_camera(actor=None, camera=camera, server=server)
    assert Assignment.objects.get(camera=camera, ends_at__isnull=True).epoch == 3


def test_the_audit_trail_tells_before_and_after_and_no_secret(camera, administrator):
    update_camera(actor=administrator, camera=camera, name="Pier", password="s3cret")
    entry = AuditEntry.objects.get(action="camera.changed")
    assert entry.detail == {"before": {"name": "Gate"}, "after": {"name": "Pier", "password": "•••"}}
    assert "hunter2" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_a_sealed_password_opens_on_its_own_camera_only(camera):
    """A37: a password copied to another row is no password."""
    other = create_camera(actor=None, name="Other", main_url="rtsp://10.6.6.6/1")
    assert open_password(camera.pk, camera.password_sealed) == "hunter2"
    with pytest.raises(SealBrokenError):
        open_password(other.pk, camera.password_sealed)


def test_deleting_twice_is_one_deletion(camera):
    delete_camera(actor=None, camera=camera)
    deleted_at = type(camera).objects.get(pk=camera.pk).deleted_at
    delete_camera(actor=None, camera=camera)
    assert type(camera).objects.get(pk=camera.pk).deleted_at == deleted_at
    assert AuditEntry.objects.filter(action="camera.deleted").count() == 1


def test_an_unknown_setting_is_a_programming_error(camera):
    with pytest.raises(TypeError, match="deleted_at"):
        update_camera(actor=None, camera=camera, deleted_at=timezone.now())

"""What capture is told to record follows the site's rows (DV01, MS04)."""

import json
import stat

import pytest
from django.conf import settings

from recorder.capture.desired import read_desired
from recorder.worker.reconcile import Reconciler
from vms.cameras import services
from vms.cameras.models import Camera
from vms.servers.choices import VolumePurpose
from vms.servers.local import ensure_local_server
from vms.servers.volumes import ensure_volume

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(tmp_path):
    server = ensure_local_server()
    ensure_volume(server, tmp_path / "archive")
    ensure_volume(server, tmp_path / "ring", VolumePurpose.BUFFER)
    settings.VMS_HOME.desired.unlink(missing_ok=True)
    return server


@pytest.fixture
def reconciled(server):
    reconciler = Reconciler(server.pk, shards=2)

    def reconcile():
        reconciler.reconcile()
        return read_desired(settings.VMS_HOME.desired)

    return reconcile


def add(server, name="Gate", **more):
    return services.create_camera(actor=None, name=name, main_url="rtsp://10.0.0.9/main", server=server, **more)


def test_both_streams_of_a_camera_are_recorded_by_the_same_shard(server, reconciled):
    add(server, sub_url="rtsp://10.0.0.9/sub", username="viewer", password="a secret")
    main, sub = reconciled().streams
    assert (main.stream, sub.stream) == ("main", "sub")
    assert main.shard == sub.shard and main.epoch == sub.epoch == 1
    assert (main.username, main.password) == ("viewer", "a secret")


def test_the_file_is_for_this_user_alone(server, reconciled):
    add(server)
    reconciled()
    assert stat.S_IMODE(settings.VMS_HOME.desired.stat().st_mode) == 0o600


def test_renaming_a_camera_disturbs_no_stream(server, reconciled):
    camera = add(server)
    before = reconciled().streams
    services.update_camera(actor=None, camera=camera, name="North gate")
    assert reconciled().streams == before


def test_disabled_and_deleted_cameras_are_not_recorded(server, reconciled):
    off, gone, stays = add(server, "off"), add(server, "gone"), add(server, "stays")
    services.update_camera(actor=None, camera=off, is_enabled=False)
    services.delete_camera(actor=None, camera=gone)
    assert [spec.camera for spec in reconciled().streams] == [str(stays.pk)]


def test_a_live_only_camera_goes_to_the_buffer(server, reconciled):
    add(server, recording_mode="off")
    state = reconciled()
    buffers = {volume.id for volume in state.volumes if volume.is_buffer}
    assert {spec.volume for spec in state.streams} == buffers


def test_restart_changes_only_that_camera(server, reconciled):
    add(server, "one")
    two = add(server, "two")
    before = {spec.camera: spec for spec in reconciled().streams}
    services.restart_camera(actor=None, camera=two)
    after = {spec.camera: spec for spec in reconciled().streams}
    assert [camera for camera in after if after[camera] != before[camera]] == [str(two.pk)]


def test_a_password_that_does_not_open_leaves_the_other_cameras_alone(server, reconciled):
    broken, fine = add(server, "broken", password="a secret"), add(server, "fine", password="another")
    Camera.objects.filter(pk=broken.pk).update(password_sealed=fine.password_sealed)
    passwords = {spec.camera: spec.password for spec in reconciled().streams}
    assert passwords == {str(broken.pk): "", str(fine.pk): "another"}


def test_nothing_is_written_when_nothing_changed(server, django_assert_num_queries):
    add(server)
    reconciler = Reconciler(server.pk, shards=2)
    assert reconciler.reconcile()
    with django_assert_num_queries(1):
        assert not reconciler.reconcile()


def test_no_password_is_in_the_database_in_clear(server):
    camera = add(server, password="a very secret word")
    row = json.dumps(list(Camera.objects.filter(pk=camera.pk).values()), default=lambda value: bytes(value).hex()
                     if isinstance(value, bytes | memoryview) else str(value))  # fmt: skip
    assert "a very secret word" not in row and b"a very secret word".hex() not in row

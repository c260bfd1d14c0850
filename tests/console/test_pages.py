"""What the pages show to whom."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from guardian.shortcuts import assign_perm

from vms.cameras.models import Camera
from vms.servers.models import Volume

pytestmark = pytest.mark.django_db


def text_of(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


def test_the_wall_lists_every_camera_with_its_state(viewer, client_of, gate_camera, roof_camera):
    text = text_of(client_of(viewer).get("/"))
    assert "<heron-wall" in text
    assert "1 of 2" in text
    assert f'data-camera="{gate_camera.pk}" data-name="Gate 2" data-state="recording"' in text
    assert "Roof &lt;west&gt;" in text
    assert "<west>" not in text
    assert 'data-state="unreachable" data-detail="The camera does not answer on 10.0.8.31."' in text


def test_an_empty_wall_says_what_to_do(administrator, viewer, client_of, server):
    assert "Add camera" in text_of(client_of(administrator).get("/"))
    text = text_of(client_of(viewer).get("/"))
    assert "Ask an administrator" in text
    assert "Add camera" not in text


def test_no_page_holds_inline_script_or_style(owner, client_of, gate_camera, demo_camera, volume):
    client = client_of(owner)
    pages = ["/", f"/cameras/{gate_camera.pk}/", "/set-up/cameras/", "/set-up/cameras/add/", "/set-up/servers/",
             f"/set-up/cameras/{gate_camera.pk}/", "/nothing-here/"]  # fmt: skip
    for page in pages:
        text = client.get(page).content.decode()
        assert not re.search(r"\sstyle=", text), page
        assert not re.search(r"\son\w+=", text), page
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), page
        assert "<style" not in text, page


def test_every_link_of_every_page_leads_somewhere(owner, client_of, gate_camera, roof_camera, demo_camera, volume):
    client = client_of(owner)
    seen, ahead = set(), ["/"]
    while ahead:
        page = ahead.pop()
        if page in seen:
            continue
        seen.add(page)
        answer = client.get(page, follow=True)
        assert answer.status_code == 200, page
        links = re.findall(r'(?:href|hx-get)="(/[^"#]*)"', answer.content.decode())
        ahead += [link for link in links if not link.startswith("/static/")]
    assert len(seen) > 8


def test_a_camera_that_is_not_mine_looks_as_if_it_were_not_there(stranger, client_of, gate_camera, roof_camera):
    client = client_of(stranger)
    assert client.get(f"/cameras/{gate_camera.pk}/").status_code == 404
    assert "Gate 2" not in text_of(client.get("/"))
    assign_perm("cameras.view_live", stranger, gate_camera)
    text = text_of(client.get(f"/cameras/{gate_camera.pk}/"))
    assert "<heron-timeline" not in text  # live only
    assert "Roof" not in text


def test_the_clip_link_is_for_those_who_may_export(viewer, operator, client_of, gate_camera):
    assert "selection-clip" not in text_of(client_of(viewer).get(f"/cameras/{gate_camera.pk}/"))
    assert "selection-clip" in text_of(client_of(operator).get(f"/cameras/{gate_camera.pk}/"))


def test_setup_is_for_administrators(viewer, operator, client_of, server):
    assert client_of(viewer).get("/set-up/cameras/").status_code == 403
    assert client_of(viewer).get("/set-up/servers/").status_code == 403
    assert client_of(operator).get("/set-up/servers/").status_code == 200
    assert client_of(operator).get("/set-up/cameras/add/").status_code == 403
    assert "Set-up" not in text_of(client_of(viewer).get("/"))


def test_the_camera_list_says_what_is_wrong_first(administrator, client_of, gate_camera, roof_camera):
    text = text_of(client_of(administrator).get("/set-up/cameras/"))
    assert text.index("Roof &lt;west&gt;</a>") < text.index("Gate 2</a>")
    assert "1 no answer, 1 recording." in text
    assert "1.6 Mbit/s" in text
    assert "1920×1080" in text


def test_the_form_of_a_camera_never_holds_its_password(administrator, client_of, gate_camera):
    text = text_of(client_of(administrator).get(f"/set-up/cameras/{gate_camera.pk}/"))
    assert "rtsp://10.0.8.23/main" in text
    assert "never shown" not in text


@pytest.mark.django_db(transaction=True)
def test_the_demo_cameras_go_with_one_click(administrator, viewer, client_of, demo_camera, gate_camera):
    page = text_of(client_of(administrator).get("/"))
    assert "Remove the demo cameras" in page
    assert "Remove the demo cameras" not in text_of(client_of(viewer).get("/"))
    assert client_of(viewer).post(reverse("console:remove-demo")).status_code == 403
    client_of(administrator).post(reverse("console:remove-demo"))
    assert list(Camera.objects.existing()) == [gate_camera]


@pytest.mark.django_db(transaction=True)
def test_a_camera_is_switched_off_reconnected_and_deleted(administrator, operator, client_of, gate_camera):
    client = client_of(administrator)
    for name in ("switch-camera", "reconnect-camera", "delete-camera"):
        refused = client_of(operator).post(reverse(f"console:{name}", args=[gate_camera.pk]))
        assert refused.status_code == 404
    client.post(reverse("console:switch-camera", args=[gate_camera.pk]), {"enabled": "0"})
    gate_camera.refresh_from_db()
    assert not gate_camera.is_enabled
    client.post(reverse("console:reconnect-camera", args=[gate_camera.pk]))
    gate_camera.refresh_from_db()
    assert gate_camera.restart_count == 1
    answer = client.post(reverse("console:delete-camera", args=[gate_camera.pk]), follow=True)
    assert "Gate 2 is deleted" in answer.content.decode()
    assert not Camera.objects.existing().exists()


def test_a_volume_stops_taking_recordings(administrator, operator, client_of, volume):
    url = reverse("console:switch-volume", args=[volume.pk])
    assert client_of(operator).post(url, {"enabled": "0"}).status_code == 404
    client_of(administrator).post(url, {"enabled": "0"})
    assert not Volume.objects.get().is_enabled
    text = text_of(client_of(operator).get("/set-up/servers/"))
    assert "no new recordings" in text
    assert "9 TB of 12 TB" in text
    assert "Write again" not in text


def test_fragments_equal_what_the_whole_page_shows(administrator, client_of, gate_camera, roof_camera):
    client = client_of(administrator)
    tree = text_of(client.get("/fragments/tree/"))
    page = text_of(client.get("/"))
    for row in re.findall(r'<a class="row camera".*?</a>', page, re.S):
        assert row in tree
    assert 'id="recording-count"' in tree
    assert 'id="camera-table"' in text_of(client.get("/fragments/cameras/"))


def test_the_wall_costs_few_queries_however_many_cameras(viewer, client_of, gate_camera, roof_camera, demo_camera,
                                                        django_assert_max_num_queries):  # fmt: skip
    client = client_of(viewer)
    with django_assert_max_num_queries(6):
        client.get("/")

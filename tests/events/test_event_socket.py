"""The event socket: with real Redis, real sessions, real rows."""

import asyncio
from datetime import timedelta

import pytest
from guardian.shortcuts import assign_perm, remove_perm

from vms.accounts.services import end_media_access, set_user_active
from vms.cameras.services import delete_camera, update_camera
from vms.events.consumers import NOT_SIGNED_IN
from vms.events.services import EVERYBODY_GROUP, camera_group, push

pytestmark = pytest.mark.django_db(transaction=True)


async def snapshot_of(socket) -> dict:
    message = await socket.receive_json()
    assert message["type"] == "snapshot"
    return message


async def test_nobody_is_let_in_without_signing_in(open_socket, server):
    async with open_socket(None) as socket:
        closed = await socket.receive_output(5)
        assert closed == {"type": "websocket.close", "code": NOT_SIGNED_IN} | {
            k: closed[k] for k in closed if k == "reason"
        }


async def test_a_socket_begins_with_all_that_a_fresh_page_shows(open_socket, viewer, client_of, make_camera, in_thread):
    camera = await in_thread(make_camera)
    client = await in_thread(lambda: client_of(viewer))
    async with open_socket(client) as socket:
        message = await snapshot_of(socket)
        assert message["now"].endswith("Z")
        assert [(row["id"], row["name"], row["state"]) for row in message["cameras"]] == [
            (str(camera.pk), "Harbour", "connecting")
        ]


async def test_states_and_changes_arrive_and_a_new_camera_too(open_socket, viewer, client_of, make_camera, in_thread):
    camera = await in_thread(make_camera)
    client = await in_thread(lambda: client_of(viewer))
    async with open_socket(client) as socket:
        await snapshot_of(socket)
        state = {
            "type": "camera.state",
            "camera": str(camera.pk),
            "state": "recording",
            "state_detail": "",
            "since": None,
        }
        await in_thread(lambda: push(camera_group(camera.pk), state))
        assert await socket.receive_json() == state
        await in_thread(lambda: update_camera(actor=None, camera=camera, name="Pier"))
        changed = await socket.receive_json()
        assert (changed["type"], changed["row"]["name"]) == ("camera.changed", "Pier")
        new = await in_thread(lambda: make_camera("New"))
        assert (await socket.receive_json())["row"]["name"] == "New"
        await in_thread(lambda: push(camera_group(new.pk), {"type": "camera.state", "camera": str(new.pk)}))
        assert (await socket.receive_json())["camera"] == str(new.pk)
        await in_thread(lambda: delete_camera(actor=None, camera=new))
        assert await socket.receive_json() == {"type": "camera.deleted", "camera": str(new.pk)}


async def test_a_stranger_hears_nothing_of_cameras_that_are_not_his(
    open_socket, stranger, client_of, make_camera, in_thread
):
    mine, other = await in_thread(lambda: make_camera("Mine")), await in_thread(lambda: make_camera("Other"))
    await in_thread(lambda: assign_perm("cameras.view_live", stranger, mine))
    client = await in_thread(lambda: client_of(stranger))
    async with open_socket(client) as socket:
        assert [row["name"] for row in (await snapshot_of(socket))["cameras"]] == ["Mine"]
        await in_thread(lambda: update_camera(actor=None, camera=other, name="Secret"))
        await in_thread(lambda: push(camera_group(other.pk), {"type": "camera.state", "camera": str(other.pk)}))
        await in_thread(lambda: delete_camera(actor=None, camera=other))
        await in_thread(lambda: update_camera(actor=None, camera=mine, name="Mine still"))
        assert (await socket.receive_json())["row"]["name"] == "Mine still"


async def test_a_right_that_is_withdrawn_takes_the_camera_away(
    open_socket, stranger, client_of, make_camera, in_thread
):
    mine = await in_thread(make_camera)
    await in_thread(lambda: assign_perm("cameras.view_live", stranger, mine))
    client = await in_thread(lambda: client_of(stranger))
    async with open_socket(client) as socket:
        assert len((await snapshot_of(socket))["cameras"]) == 1

        def withdraw():
            remove_perm("cameras.view_live", stranger, mine)
            end_media_access(user=stranger)

        await in_thread(withdraw)
        assert (await snapshot_of(socket))["cameras"] == []


async def test_events_take_the_right_to_events_and_servers_the_right_to_servers(
    open_socket, stranger, viewer, operator, client_of, make_camera, in_thread
):
    camera = await in_thread(make_camera)
    await in_thread(lambda: assign_perm("cameras.view_live", stranger, camera))
    of_camera = {"type": "event", "kind": "camera.lost", "camera": str(camera.pk)}
    of_server = {"type": "event", "kind": "disk.full", "camera": None}
    last = {"type": "camera.state", "camera": str(camera.pk)}
    for person, heard in ((stranger, []), (viewer, [of_camera]), (operator, [of_camera, of_server])):
        client = await in_thread(lambda person=person: client_of(person))
        async with open_socket(client) as socket:
            await snapshot_of(socket)
            for group, message in (
                (camera_group(camera.pk), of_camera),
                (EVERYBODY_GROUP, of_server),
                (camera_group(camera.pk), last),
            ):
                await in_thread(lambda group=group, message=message: push(group, message))
            got = [await socket.receive_json() for _ in range(len(heard) + 1)]
            assert got == [*heard, last], person


@pytest.mark.parametrize("how", ["signed out", "disabled"])
async def test_a_socket_closes_within_5_s_when_its_user_is_gone(
    how, open_socket, viewer, owner, client_of, make_camera, in_thread
):
    client = await in_thread(lambda: client_of(viewer))
    async with open_socket(client) as socket:
        await snapshot_of(socket)
        if how == "signed out":
            await in_thread(client.logout)
        else:
            await in_thread(lambda: set_user_active(actor=owner, user=viewer, is_active=False))
        async with asyncio.timeout(5):
            while (message := await socket.receive_output(5))["type"] != "websocket.close":
                pass
        assert message["code"] == NOT_SIGNED_IN


async def test_a_server_that_falls_silent_is_told_like_a_fresh_page_would(
    open_socket, viewer, client_of, make_camera, server, in_thread
):
    await in_thread(make_camera)
    client = await in_thread(lambda: client_of(viewer))
    async with open_socket(client) as socket:
        assert (await snapshot_of(socket))["cameras"][0]["state"] == "connecting"
        server.last_seen_at -= timedelta(minutes=1)
        await in_thread(server.save)
        assert (await snapshot_of(socket))["cameras"][0]["state"] == "unknown"


@pytest.mark.slow
async def test_an_event_arrives_after_12_idle_seconds(open_socket, viewer, client_of, make_camera, in_thread):
    """redis-py's 5 s socket timeout once closed idle sockets of the core channel layer."""
    camera = await in_thread(make_camera)
    client = await in_thread(lambda: client_of(viewer))
    async with open_socket(client) as socket:
        await snapshot_of(socket)
        assert await socket.receive_nothing(timeout=12, interval=1)
        await in_thread(lambda: push(camera_group(camera.pk), {"type": "camera.state", "camera": str(camera.pk)}))
        assert (await socket.receive_json())["type"] == "camera.state"

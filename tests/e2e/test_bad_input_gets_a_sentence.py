"""An address that can't work is told from every other within 10 s: as a code and a sentence of the probe, and as the
state of a camera that was added all the same. A span without footage is answered with the nearest that there is."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.product import Product, free_port, wait_for
from tests.recorder.rtsp.scripted_server import ScriptedServer, reply, usual
from tests.recorder.simcam.fixtures import SimcamProcess

from .plant import SMALL, Plant, add_camera, capture_status, iso, remove_camera, span_query, wait_recording

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WITHIN_S = 10.0
UNFIT = [
    ("file:///etc/passwd", "bad_scheme"),
    ("concat:/etc/passwd|/etc/hosts", "bad_scheme"),
    ("ftp://127.0.0.1/stream", "bad_scheme"),
    ("pipe:0", "bad_scheme"),
    ("/etc/passwd", "bad_scheme"),
    ("rtsp://somebody:something@127.0.0.1/stream", "bad_address"),
    ("rtsp:///stream", "bad_address"),
    ("rtsp://127.0.0.1:99999/stream", "bad_address"),
    ("rtsp://127.0.0.1/a%0d%0aPLAY", "bad_address"),
    ("rtsp://10.1.2.3/stream", "address_not_allowed"),
    ("http://169.254.169.254/latest", "address_not_allowed"),
    ("rtsp://[::1]/stream", "address_not_allowed"),
    ("rtsp://[::ffff:10.1.2.3]/stream", "address_not_allowed"),
]
NO_VIDEO = "v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:sound\r\n"
VP8 = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=control:picture\r\n"


def refusal(product: Product, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any], float]:
    """Status, JSON and seconds of a request that must fail."""
    begun_s = time.monotonic()
    with pytest.raises(urllib.error.HTTPError) as caught:
        product.request(method, path, body)
    return caught.value.code, json.loads(caught.value.read()), time.monotonic() - begun_s


def check_error(answer: dict[str, Any], code: str, attr: str | None) -> None:
    error = answer["errors"][0]
    assert (error["code"], error["attr"]) == (code, attr), answer
    assert re.fullmatch(r"[^\n]{15,300}\.", error["detail"]), "one whole sentence"
    assert "Traceback" not in error["detail"]


@pytest.mark.parametrize(("url", "code"), UNFIT)
def test_addresses_that_are_none_are_refused_by_probe_and_form_alike(plant: Plant, url: str, code: str) -> None:
    spare = plant.cameras[0]
    for method, path, body, attr in (
        ("POST", "/api/v1/cameras/probe/", {"url": url}, "url"),
        ("POST", "/api/v1/cameras/", {"name": "Unfit", "main_url": url}, "main_url"),
        ("PATCH", f"/api/v1/cameras/{spare.id}/", {"main_url": url}, "main_url"),
        ("PATCH", f"/api/v1/cameras/{spare.id}/", {"sub_url": url}, "sub_url"),
    ):
        status, answer, took_s = refusal(plant.product, method, path, body)
        assert status == 400
        check_error(answer, code, attr)
        assert took_s < WITHIN_S
    assert all(camera["name"] != "Unfit" for camera in plant.product.cameras())


class ScriptedServers:
    """Scripted cameras on a loop in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._servers: list[ScriptedServer] = []

    def start(self, script: Callable[..., Any]) -> str:
        server = ScriptedServer(script)
        asyncio.run_coroutine_threadsafe(server.__aenter__(), self._loop).result(5)
        self._servers.append(server)
        return server.url

    def stop(self) -> None:
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.__aexit__(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def offering(sdp: str) -> Callable[..., Any]:
    async def script(reader: Any, writer: Any, request: str) -> None:
        writer.write(usual(request, sdp))

    return script


async def never_answering(reader: Any, writer: Any, request: str) -> None:
    await reader.read(-1)


async def with_an_endless_header(reader: Any, writer: Any, request: str) -> None:
    writer.write(b"RTSP/1.0 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def with_a_giant_body(reader: Any, writer: Any, request: str) -> None:
    writer.write(reply(request, Content_Type="application/sdp", Content_Length=1 << 40))


async def with_garbage(reader: Any, writer: Any, request: str) -> None:
    writer.write(b"\x00\xff\x80garbage\r\n\r\n" * 50)


@pytest.fixture(scope="module")
def unusable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[dict[str, str], str, str]]]:
    """Cameras that can be reached or not, and never used: what is asked, the probe's code, the camera's state."""
    directory = tmp_path_factory.mktemp("unusable")
    (directory / "password").write_text("the right one\n")
    simulator = SimcamProcess(directory, 1, *SMALL, "--user", "camera", "--password-file", str(directory / "password"))
    mute = socket.create_server(("127.0.0.1", 0))  # accepts by its backlog, and nobody reads
    servers = ScriptedServers()
    with_password = {"username": "camera", "password": "the right one"}
    try:
        yield {
            "refused": ({"url": f"rtsp://127.0.0.1:{free_port()}/x"}, "refused", "refused"),
            "no such host": ({"url": "rtsp://no-such-host.invalid/x"}, "name_not_found", "unreachable"),
            "silent host": ({"url": f"rtsp://127.0.0.1:{mute.getsockname()[1]}/x"}, "timeout", "unreachable"),
            "silent camera": ({"url": servers.start(never_answering)}, "timeout", "unreachable"),
            "wrong password": (
                {"url": simulator.url(), "username": "camera", "password": "the wrong one"},
                "unauthorized", "unauthorized",
            ),
            "no password": ({"url": simulator.url()}, "unauthorized", "unauthorized"),
            "no such path": ({"url": simulator.url(9), **with_password}, "not_found", "refused"),
            "no video": ({"url": servers.start(offering(NO_VIDEO))}, "no_video", "no_video"),
            "unknown codec": ({"url": servers.start(offering(VP8))}, "unknown_codec", "unknown_codec"),
            "endless header": ({"url": servers.start(with_an_endless_header)}, "bad_stream", "error"),
            "giant body": ({"url": servers.start(with_a_giant_body)}, "bad_stream", "error"),
            "garbage": ({"url": servers.start(with_garbage)}, "bad_stream", "error"),
            "refused over HTTP": ({"url": f"http://127.0.0.1:{free_port()}/x"}, "refused", "refused"),
        }  # fmt: skip
    finally:
        simulator.stop()
        servers.stop()
        mute.close()


def test_probe_says_within_10_s_why_a_camera_cannot_be_used(plant: Plant, unusable: dict[str, Any]) -> None:
    def probe(name: str) -> tuple[int, dict[str, Any], float]:
        return refusal(plant.product, "POST", "/api/v1/cameras/probe/", unusable[name][0])

    with ThreadPoolExecutor(3) as pool:  # the product looks at four at once
        answers = dict(zip(unusable, pool.map(probe, unusable), strict=True))
    seen = {name: answer["errors"][0]["code"] for name, (_, answer, _) in answers.items()}
    assert seen == {name: code for name, (_, code, _) in unusable.items()}
    for name, (status, answer, took_s) in answers.items():
        code = unusable[name][1]
        check_error(answer, code, "password" if code == "unauthorized" else "url")
        assert status == 400
        assert took_s < WITHIN_S, name
        assert "wrong one" not in json.dumps(answer)


def test_camera_that_was_added_all_the_same_shows_why_within_10_s(plant: Plant, unusable: dict[str, Any]) -> None:
    product = plant.product
    added = {}
    with plant.loses_nothing():
        try:
            for name, (settings, *_) in unusable.items():
                settings = {**settings, "main_url": settings["url"]}
                del settings["url"]
                added[name] = add_camera(product, f"Unusable: {name}", **settings)
            waiting, shown = dict(added), {}

            def all_show() -> bool:
                for camera in product.cameras():
                    for name, camera_id in list(waiting.items()):
                        if camera["id"] == camera_id and camera["state"] not in ("connecting", "unknown"):
                            shown[name] = camera["state"], camera["state_detail"]
                            del waiting[name]
                return not waiting

            wait_for(all_show, WITHIN_S + 1, "every unusable camera shows its state")
        finally:
            for camera in added.values():
                remove_camera(product, camera)
    assert {name: state for name, (state, _) in shown.items()} == {
        name: state for name, (*_, state) in unusable.items()
    }
    for name, (_, detail) in shown.items():
        assert re.fullmatch(r"[^\n]{15,300}\.", detail), (name, detail)


def test_hostile_streams_cost_at_most_their_own_camera(plant: Plant, tmp_path: Path) -> None:
    """Each of these cameras turns hostile for two seconds while it is being recorded, and is recorded again."""
    product = plant.product
    faults = ("garbage", "giant-length", "garbage-nal", "endless-header", "no-keyframe", "half-open")
    simulator = SimcamProcess(tmp_path, len(faults), *SMALL)
    added = []
    try:
        with plant.loses_nothing():
            for number in range(1, len(faults) + 1):
                added.append(add_camera(product, f"Hostile: {faults[number - 1]}", simulator.url(number)))
            wait_recording(product, *added)
            for number, fault in enumerate(faults, start=1):
                simulator.inject(number, f"{fault}@0s,2s")
            begun_ns = time.time_ns()

            def all_record_again() -> bool:
                last_ns = {stream["camera"]: stream["last_keyframe_ns"] or 0 for stream in capture_status(product)}
                return all(last_ns.get(camera, 0) > begun_ns + 2_500_000_000 for camera in added)

            wait_for(all_record_again, 40, "all record again")
    finally:
        for camera in added:
            remove_camera(product, camera)
        simulator.stop()


@pytest.mark.parametrize("path", ["clip.mp4", "playlist.m3u8"])
def test_span_with_nothing_in_it_gets_404_and_the_nearest_footage(plant: Plant, path: str) -> None:
    camera = plant.cameras[0]
    hour = 3_600_000_000_000
    now_ns = time.time_ns()
    cases = ((now_ns - 30 * hour, now_ns - 29 * hour, "after"), (now_ns + hour, now_ns + 2 * hour, "before"))
    for start_ns, end_ns, side in cases:
        place = f"/api/v1/cameras/{camera.id}/{path}?{span_query(start_ns, end_ns)}"
        status, answer, took_s = refusal(plant.product, "GET", place)
        assert status == 404
        check_error(answer, "no_footage", None)
        check_nearest(answer, side, now_ns)
        assert took_s < WITHIN_S


def test_snapshot_of_a_moment_without_footage_gets_404_and_the_nearest(plant: Plant) -> None:
    now_ns = time.time_ns()
    long_ago = iso(now_ns - 30 * 3_600_000_000_000)
    place = f"/api/v1/cameras/{plant.cameras[0].id}/snapshot.jpg?at={long_ago}"
    status, answer, _ = refusal(plant.product, "GET", place)
    assert status == 404
    check_error(answer, "no_footage", None)
    check_nearest(answer, "after", now_ns)


def check_nearest(answer: dict[str, Any], side: str, now_ns: int) -> None:
    """On one side there is footage of the last minutes, on the other none."""
    nearest = dict(answer["nearest"])
    moment = datetime.fromisoformat(nearest.pop(side))
    assert list(nearest.values()) == [None]
    now_at = datetime.fromisoformat(iso(now_ns))
    assert now_at - timedelta(hours=1) < moment <= now_at + timedelta(seconds=2)
    if side == "before":
        assert now_at - moment < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "required"),
        ("from=yesterday&to=today", "bad_time"),
        ("from=2026-03-01T12:00:00&to=2026-03-01T13:00:00", "no_zone"),
        ("from=2026-03-01T12:00:00Z&to=2026-03-01T12:00:00Z", "empty_span"),
        ("from=2026-03-01T12:00:00Z&to=2026-03-01T11:00:00Z", "empty_span"),
        ("from=2020-03-01T12:00:00Z&to=2026-03-01T11:00:00Z", "span_too_long"),
    ],
)
def test_span_that_is_none_gets_400(plant: Plant, query: str, code: str) -> None:
    for path in ("clip.mp4", "playlist.m3u8"):
        status, answer, _ = refusal(plant.product, "GET", f"/api/v1/cameras/{plant.cameras[0].id}/{path}?{query}")
        assert status == 400
        assert answer["errors"][0]["code"] == code

"""Media through the web process: same answers, nothing kept running behind."""

import asyncio
import json
import threading
import time

import httpx
import psutil
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from recorder.media.proxy import MediaProxy

from .conftest import free_port
from .footage import LiveCamera, encode, write_recording
from .test_live import Picture

START = 1_790_000_000_000


@pytest.fixture
def proxied(media):
    """The media site behind a proxy; yields its base address."""
    port = free_port()
    proxy = MediaProxy(media.port)
    config = uvicorn.Config(proxy, port=port, log_level="warning", lifespan="off", log_config=None)
    server = uvicorn.Server(config)

    async def serve():
        await server.serve()
        await proxy.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"127.0.0.1:{port}/media"
    server.should_exit = True
    thread.join(10)


def connections(site):
    return sum(
        connection.status == "ESTABLISHED" and connection.laddr.port == site.port
        for connection in psutil.Process(site.process.pid).net_connections("tcp")
    )


def test_clip_ranges_and_errors_come_through(media, proxied):
    write_recording(media.volume, media.camera, "main", START, 10)
    path = media.path(f"clip.mp4?from={START}&to={START + 9000}", "playback")
    direct = httpx.get(f"http://127.0.0.1:{media.port}{path}")
    through = httpx.get(f"http://{proxied}{path}")
    assert through.content == direct.content
    for name in ("content-length", "content-type", "content-disposition", "etag", "accept-ranges"):
        assert through.headers[name] == direct.headers[name]
    part = httpx.get(f"http://{proxied}{path}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, direct.content[10:20])
    head = httpx.head(f"http://{proxied}{path}")
    assert head.headers["content-length"] == direct.headers["content-length"]
    nothing = httpx.get(f"http://{proxied}{media.path('span?from=1&to=2', 'playback')}")
    assert (nothing.status_code, nothing.json()["errors"][0]["code"]) == (404, "no_footage")


def test_foreign_pages_are_refused_through_the_proxy_too(media, proxied):
    write_recording(media.volume, media.camera, "main", START, 5)
    url = f"http://{proxied}{media.path(f'span?from={START}&to={START + 1000}', 'playback')}"
    assert httpx.get(url, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.get(url, headers={"Origin": "http://127.0.0.1:1"}).status_code == 200
    assert httpx.get(url, headers={"Host": "cam.example", "Origin": "https://cam.example"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/m/x", "/m/../../healthz", "/m/a/../../healthz", "/m/a b/span"])
def test_only_media_addresses_are_forwarded(proxied, path):
    assert httpx.get(f"http://{proxied}{path}").status_code in (403, 404)


def test_browser_that_goes_away_ends_the_request_behind(media, proxied):
    write_recording(media.volume, media.camera, "main", START, 1500, encoded=encode(width=640, height=480))
    path = media.path(f"clip.mp4?from={START}&to={START + 1500000}", "playback")
    with httpx.stream("GET", f"http://{proxied}{path}") as answer:
        pieces = answer.iter_raw(1024)
        next(pieces)
        assert connections(media) == 1
    deadline = time.monotonic() + 5
    while connections(media):
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_live_comes_through_and_ends_with_the_viewer(media, proxied):
    with LiveCamera(media.volume, media.home.live, media.camera):
        url = f"ws://{proxied}{media.path('live', 'live')}"
        async with connect(url, origin="http://127.0.0.1:5008") as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) > 20)
        deadline = time.monotonic() + 5
        while connections(media):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        with pytest.raises(InvalidStatus):
            await connect(url, origin="http://evil.example")


async def test_close_code_and_reason_come_through(media, proxied):
    media.desire(streams=())
    async with connect(f"ws://{proxied}{media.path('live', 'live')}") as socket:
        assert json.loads(await socket.recv())["error"] == "stopped"
        await socket.wait_closed()
        assert socket.close_code == 4404


def test_media_service_that_is_down_gives_502(media, proxied):
    media.process.terminate()
    media.process.wait(10)
    path = media.path("span?from=1&to=2", "playback")
    assert httpx.get(f"http://{proxied}{path}").status_code == 502

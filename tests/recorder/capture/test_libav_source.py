"""Streams that aren't RTSP come through a child process that reaches one host and nothing else."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from recorder.capture.libav_source import LibavSource
from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy


class Sink:
    def __init__(self) -> None:
        self.video = None
        self.frames = self.keyframes = 0

    def on_parameters(self, video: object, audio: object) -> None:
        self.video = video

    def on_video(self, sample: bytes, timestamp: int, is_keyframe: bool, arrived_ns: int) -> None:
        self.frames += 1
        self.keyframes += is_keyframe

    def on_audio(self, *sample: object) -> None: ...


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None: ...

    def do_GET(self) -> None:
        if self.path == "/redirect.m3u8":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:18399/live.m3u8")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    with av.open(
        str(tmp_path / "live.m3u8"), "w", format="hls", options={"hls_time": "1", "hls_list_size": "0"}
    ) as out:
        stream = out.add_stream("libx264", rate=15, options={"g": "15", "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(45):
            picture = np.full((96, 160, 3), number * 5, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    for name, line in (
        ("elsewhere", "http://127.0.0.1:18398/x.ts"),
        ("file", "file:///etc/passwd"),
        ("concat", "concat:/etc/passwd|/etc/hosts"),
    ):
        (tmp_path / f"{name}.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{line}\n#EXT-X-ENDLIST\n"
        )
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def read(url: str) -> tuple[Sink, CameraError]:
    sink = Sink()
    with pytest.raises(CameraError) as caught:
        await asyncio.wait_for(LibavSource(url, "", "", AddressPolicy(()).with_loopback(), sink).run(), 30)
    return sink, caught.value


async def test_hls_is_delivered_to_its_end(web: str) -> None:
    sink, error = await read(f"{web}/live.m3u8")
    assert error.code == ErrorCode.CLOSED
    assert (sink.video.codec, sink.video.width_px, sink.video.height_px) == ("h264", 160, 96)
    assert sink.frames == 45
    assert sink.keyframes >= 2


@pytest.mark.parametrize("name", ["elsewhere", "redirect", "file", "concat"])
async def test_playlists_and_redirects_lead_nowhere_else(web: str, name: str) -> None:
    sink, error = await read(f"{web}/{name}.m3u8")
    assert sink.frames == 0
    assert error.code in (ErrorCode.REDIRECTED, ErrorCode.BAD_STREAM)


async def test_an_address_outside_the_networks_starts_no_child() -> None:
    with pytest.raises(CameraError) as caught:
        await LibavSource("http://127.0.0.1:18397/", "", "", AddressPolicy.from_strings(["10.0.0.0/8"]), Sink()).run()
    assert caught.value.code == ErrorCode.ADDRESS_NOT_ALLOWED


async def test_a_refused_connection_and_a_missing_stream_are_told_apart(web: str) -> None:
    assert (await read("http://127.0.0.1:1/x"))[1].code == ErrorCode.REFUSED
    assert (await read(f"{web}/none.m3u8"))[1].code == ErrorCode.NOT_FOUND

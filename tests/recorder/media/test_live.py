"""Live over WebSocket, against the real service and growing files."""

import json
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from recorder.fmp4 import FragmentScanner, parse_init

from .footage import FPS, LiveCamera, encode


class Picture:
    """What one viewer got."""

    def __init__(self, socket):
        self.socket = socket
        self.descriptions = []
        self.inits = []
        self.times = []
        self.audio_times = []
        self.keyframes = []

    async def receive(self):
        message = await self.socket.recv()
        if isinstance(message, str):
            self.descriptions.append(json.loads(message))
        elif message[4:8] == b"ftyp":
            self.inits.append(message)
        else:
            scanner = FragmentScanner(self.inits[-1], 0)
            (fragment,) = scanner.feed(message)
            assert fragment.length == len(message)
            if fragment.track == 1:
                self.times.append(fragment.decode_time)
                self.keyframes.append(fragment.is_keyframe)
            else:
                self.audio_times.append(fragment.decode_time)

    async def until(self, condition):
        while not condition():
            await self.receive()


async def test_viewer_gets_description_init_and_the_gop_on_disk_at_once(media):
    with LiveCamera(media.volume, media.home.live, media.camera) as camera:
        while len(camera.frames_written) < 20:
            time.sleep(0.02)
        clicked = time.monotonic()
        async with connect(media.live_url()) as socket:
            picture = Picture(socket)
            await picture.until(lambda: picture.times)
            assert time.monotonic() - clicked < 0.5
            description = picture.descriptions[0]
            assert description["mime"] == f'video/mp4; codecs="{camera.encoded.video.rfc6381}"'
            assert (description["width"], description["height"], description["has_audio"]) == (
                320,
                240,
                False,
            )
            assert parse_init(picture.inits[0])[0] == camera.encoded.video
            assert picture.keyframes[0]
            await picture.until(lambda: len(picture.times) >= 40)
            first = camera.frames_written.index(picture.times[0])
            assert picture.times == camera.frames_written[first : first + len(picture.times)]
            assert abs(time.time() - picture.times[-1] / 90000) < 0.5


async def test_no_fragment_is_lost_or_repeated_when_segments_change(media):
    with LiveCamera(media.volume, media.home.live, media.camera, segment_s=1) as camera:
        async with connect(media.live_url()) as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) >= 5 * FPS)
        first = camera.frames_written.index(picture.times[0])
        assert picture.times == camera.frames_written[first : first + len(picture.times)]
        assert len(picture.inits) == 1


async def test_changed_parameters_come_with_a_new_description_and_init(media):
    with LiveCamera(media.volume, media.home.live, media.camera) as camera:
        async with connect(media.live_url()) as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) > 5)
            camera.encoded = encode(width=480, height=272)
            await picture.until(lambda: len(picture.inits) == 2)
            assert [entry["width"] for entry in picture.descriptions] == [320, 480]
            seen = len(picture.times)
            await picture.until(lambda: len(picture.times) > seen)
            assert picture.keyframes[seen]


@pytest.mark.parametrize(("query", "has_audio"), [("", False), ("?audio=1", True)])
async def test_sound_comes_only_to_who_asks(media, query, has_audio):
    with LiveCamera(media.volume, media.home.live, media.camera, audio="aac"):
        async with connect(media.live_url(query)) as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) > 10)
            assert bool(picture.audio_times) == has_audio
            assert (parse_init(picture.inits[0])[1] is not None) == has_audio
            assert ("mp4a" in picture.descriptions[0]["mime"]) == has_audio


async def test_fifty_viewers_share_one_follower(media):
    with LiveCamera(media.volume, media.home.live, media.camera):
        sockets = [await connect(media.live_url()) for _ in range(50)]
        for socket in sockets:
            picture = Picture(socket)
            await picture.until(lambda picture=picture: picture.times)
        fds = [path.readlink() for path in (media.proc / "fd").iterdir()]
        assert sum(str(path).startswith(str(media.volume)) for path in fds) == 1
        for socket in sockets:
            await socket.close()


async def test_viewer_who_does_not_read_slows_nobody(media):
    big = encode(width=640, height=480)
    with LiveCamera(media.volume, media.home.live, media.camera, encoded=big):
        async with (
            connect(media.live_url(), max_queue=1, close_timeout=0.1) as lazy,
            connect(media.live_url()) as socket,
        ):
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) >= 3 * FPS)
            assert abs(time.time() - picture.times[-1] / 90000) < 0.5
            assert lazy.state.name == "OPEN"


async def test_camera_that_is_switched_off_is_told_at_once(media):
    media.desire(streams=())
    async with connect(media.live_url()) as socket:
        assert json.loads(await socket.recv())["error"] == "stopped"
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd.code == 4404


async def test_wrong_password_is_told_instead_of_a_picture(media):
    status = {
        "format": 1,
        "streams": [
            {
                "key": f"{media.camera}.main",
                "state": "unauthorized",
                "state_detail": "The camera refuses user name or password.",
                "error_code": "unauthorized",
                "since_ns": 1_700_000_000_000_000_000,
            }
        ],
    }
    media.home.status(0).write_text(json.dumps(status))
    async with connect(media.live_url()) as socket:
        error = json.loads(await socket.recv())
    assert error == {
        "error": "unauthorized",
        "detail": "The camera refuses user name or password.",
        "since": "2023-11-14T22:13:20.000Z",
    }


async def test_old_picture_of_a_dead_writer_is_not_shown_as_live(media):
    from .footage import SegmentFile, segment_path

    start_s = time.time() - 60
    path = segment_path(media.volume, media.camera, "main", int(start_s * 1000), 1, is_open=True)
    file = SegmentFile(path, encode())
    for number in range(30):
        file.add_frame(number, int((start_s + number / FPS) * 90000))
    (media.home.live / f"{media.camera}.main").symlink_to(path)
    async with connect(media.live_url()) as socket:
        assert json.loads(await socket.recv())["error"] == "not_running"


async def test_running_stream_is_cut_when_the_right_is_withdrawn(media):
    with LiveCamera(media.volume, media.home.live, media.camera):
        async with connect(media.live_url()) as socket:
            picture = Picture(socket)
            await picture.until(lambda: picture.times)
            cut = time.monotonic()
            media.desire(cut_before={"user:7": time.time()})
            with pytest.raises(ConnectionClosed) as closed:
                await picture.until(lambda: False)
            assert time.monotonic() - cut < 5
            assert closed.value.rcvd.code == 4403
            assert picture.descriptions[-1]["error"] == "forbidden"
        with pytest.raises(InvalidStatus):
            await connect(media.live_url(iat=time.time() - 30))


async def test_running_stream_is_cut_when_the_camera_is_removed(media):
    with LiveCamera(media.volume, media.home.live, media.camera):
        async with connect(media.live_url()) as socket:
            picture = Picture(socket)
            await picture.until(lambda: picture.times)
            media.desire(streams=())
            with pytest.raises(ConnectionClosed):
                await picture.until(lambda: False)


@pytest.mark.parametrize(
    ("changes", "origin", "text"),
    [
        ({"use": "playback"}, None, b"forbidden"),
        ({"exp": 1, "iat": 0}, None, b"expired"),
        ({"str": "sub"}, None, b"forbidden"),
        ({}, "http://evil.example", b"forbidden"),
        ({}, "null", b"forbidden"),
    ],
)
async def test_handshake_is_refused(media, changes, origin, text):
    use = changes.pop("use", "live")
    url = f"ws://127.0.0.1:{media.port}/m/{media.token(use, **changes)}/live?stream=main"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, origin=origin)
    assert (refused.value.response.status_code, refused.value.response.body) == (403, text)


async def test_page_of_the_same_host_on_another_port_may_watch(media):
    with LiveCamera(media.volume, media.home.live, media.camera):
        async with connect(media.live_url(), origin="http://127.0.0.1:5008") as socket:
            assert "mime" in json.loads(await socket.recv())

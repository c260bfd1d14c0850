"""What browsers can't play, made playable on demand, in a capped number of processes."""

import io
import json
import time

import av
import httpx
import psutil
from websockets.asyncio.client import connect

from recorder.fmp4 import FragmentScanner, parse_init

from .footage import FPS, LiveCamera, encode, write_recording
from .test_live import Picture

START = 1_790_000_000_000


def ffmpegs(site):
    return [child for child in psutil.Process(site.process.pid).children() if child.name() == "ffmpeg"]


def wait_for(condition, seconds=8):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def test_live_h265_comes_as_h264_in_absolute_time(media):
    with LiveCamera(media.volume, media.home.live, media.camera, encoded=encode("h265")) as camera:
        async with connect(media.live_url("?transcode=1")) as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) >= 3 * FPS)
            assert picture.descriptions[0]["codec"] == "h264"
            assert parse_init(picture.inits[0])[0].width_px == 320
            first = min(camera.frames_written, key=lambda ticks: abs(ticks - picture.times[0]))
            at = camera.frames_written.index(first)
            written = camera.frames_written[at : at + len(picture.times)]
            assert max(abs(a - b) for a, b in zip(written, picture.times, strict=True)) <= 90
            assert time.time() - picture.times[-1] / 90000 < 0.3
        wait_for(lambda: not ffmpegs(media))


async def test_live_g711_comes_as_aac_beside_untouched_video(media):
    with LiveCamera(media.volume, media.home.live, media.camera, audio="g711") as camera:
        async with connect(media.live_url("?transcode=1&audio=1")) as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) >= 4 * FPS and len(picture.audio_times) > 20)
            assert picture.descriptions[0]["has_audio"]
            assert set(picture.times) <= set(camera.frames_written)
            assert abs(picture.audio_times[-1] / 8000 - picture.times[-1] / 90000) < 1
            steps = {b - a for a, b in zip(picture.audio_times, picture.audio_times[1:], strict=False)}
            assert all(abs(step - 1024) < 60 for step in steps)


async def test_what_plays_anyway_starts_no_process(media):
    with LiveCamera(media.volume, media.home.live, media.camera, audio="aac"):
        async with connect(media.live_url("?transcode=1&audio=1")) as socket:
            picture = Picture(socket)
            await picture.until(lambda: len(picture.times) > 20 and picture.audio_times)
            assert not ffmpegs(media)


async def test_viewers_share_one_transcode(media):
    with LiveCamera(media.volume, media.home.live, media.camera, encoded=encode("h265")):
        async with (
            connect(media.live_url("?transcode=1")) as one,
            connect(media.live_url("?transcode=h264")) as two,
        ):
            for socket in (one, two):
                picture = Picture(socket)
                await picture.until(lambda picture=picture: len(picture.times) > 5)
            assert len(ffmpegs(media)) == 1


async def test_one_transcode_too_many_is_told_clearly(start_media, site):
    media = start_media(VMS_MAX_TRANSCODES="1")
    write_recording(media.volume, media.camera, "main", START, 5, encoded=encode("h265"))
    with (
        LiveCamera(media.volume, media.home.live, media.camera, encoded=encode("h265")),
        LiveCamera(media.volume, media.home.live, media.camera, "sub", encoded=encode("h265")),
    ):
        async with connect(media.live_url("?transcode=1")) as one:
            picture = Picture(one)
            await picture.until(lambda: picture.times)
            async with connect(media.live_url("?transcode=1&stream=sub")) as two:
                error = json.loads(await two.recv())
            assert error["error"] == "transcode_limit"
            assert "VMS_MAX_TRANSCODES" in error["detail"]
            span = httpx.get(media.url(f"span?from={START}&to={START + 2000}&transcode=1"))
            assert (span.status_code, span.json()["errors"][0]["code"]) == (503, "transcode_limit")
            assert span.headers["retry-after"]
        wait_for(lambda: not ffmpegs(media))
        async with connect(media.live_url("?transcode=1&stream=sub")) as two:
            picture = Picture(two)
            await picture.until(lambda: picture.times)


def test_recorded_h265_with_g711_comes_as_h264_with_aac(media):
    write_recording(media.volume, media.camera, "main", START, 20, encoded=encode("h265"), audio="g711")
    answer = httpx.get(media.url(f"span?from={START + 3000}&to={START + 13000}&transcode=1&audio=1"), timeout=30)
    assert answer.status_code == 200
    scanner = FragmentScanner()
    fragments = scanner.feed(answer.content)
    video, audio = parse_init(scanner.init)
    assert (video.codec, audio.codec) == ("h264", "aac")
    assert answer.headers["x-heron-mime"] == f'video/mp4; codecs="{video.rfc6381},{audio.rfc6381}"'
    times = [fragment.decode_time for fragment in fragments if fragment.track == 1]
    assert len(times) == 10 * FPS
    assert max(abs(at - (START * 90 + (45 + number) * 6000)) for number, at in enumerate(times)) <= 90
    sounds = [fragment.decode_time for fragment in fragments if fragment.track == 2]
    assert abs(sounds[0] / 8 - (START + 3000)) < 250
    assert abs(sounds[-1] / 8 - (START + 13000)) < 600
    with av.open(io.BytesIO(answer.content)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10 * FPS
    wait_for(lambda: not ffmpegs(media))


def test_browser_without_video_elements_gets_jpeg_pictures(media):
    with LiveCamera(media.volume, media.home.live, media.camera):
        with httpx.stream("GET", media.url("live.mjpeg", "live"), timeout=10) as answer:
            assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=heron"
            content = b""
            for piece in answer.iter_raw():
                content += piece
                if content.count(b"--heron") > 4:
                    break
        head, image = content.split(b"--heron\r\n")[2].split(b"\r\n\r\n", 1)
        assert b"Content-Type: image/jpeg" in head
        with av.open(io.BytesIO(image[:-2]), format="jpeg_pipe") as picture:
            assert next(picture.decode(video=0)).width == 320
        wait_for(lambda: not ffmpegs(media))

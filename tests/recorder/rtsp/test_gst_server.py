"""Against a server that isn't ours, with every transport, codec and kind of authentication it has."""

import asyncio
import contextlib
import itertools
import subprocess
import time
from pathlib import Path

import pytest

from recorder.codecs import iter_length_prefixed
from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy
from recorder.rtsp import RtspSource, RtspTarget, describe

from .clips import audio_units, keyframes, make_clip, pictures, slices
from .collecting import Collector

SYSTEM_PYTHON = "/usr/bin/python3"
LOCAL = AddressPolicy.from_strings(["127.0.0.0/8"])


def has_gst():
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    with contextlib.suppress(OSError):
        return subprocess.run([SYSTEM_PYTHON, "-c", check], capture_output=True).returncode == 0
    return False


pytestmark = [pytest.mark.gst, pytest.mark.skipif(not has_gst(), reason="gst-rtsp-server isn't installed")]


@contextlib.contextmanager
def serving(clip, **options):
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    script = Path(__file__).with_name("gst_server.py")
    server = subprocess.Popen(
        [SYSTEM_PYTHON, script, "--clip", clip, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline())
        yield f"rtsp://127.0.0.1:{port}/test"
    finally:
        server.stdin.close()
        server.stdout.close()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def clip_of(tmp_path_factory):
    made = {}

    def get(codec, b_frames=0):
        key = codec, b_frames
        if key not in made:
            path = tmp_path_factory.mktemp("clip") / f"{codec}-{b_frames}.mp4"
            made[key] = make_clip(path, codec, b_frames=b_frames, has_audio=True)
        return made[key]

    return get


async def collect(target, condition):
    sink = Collector()
    task = asyncio.create_task(RtspSource(target, LOCAL, sink).run())
    waiting = asyncio.create_task(sink.until(condition))
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert condition(sink)
    return sink


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(("codec", "b_frames"), [("h264", 0), ("h264", 2), ("h265", 0), ("h265", 2)])
async def test_every_slice_arrives_as_it_stands_in_the_file(clip_of, codec, b_frames, transport):
    clip = clip_of(codec, b_frames)
    sent = pictures(clip, codec)
    with serving(clip, codec=codec) as url:
        sink = await collect(RtspTarget(url, transport=transport), lambda sink: len(sink.video) >= len(sent) - 2)
    got = [slices(list(iter_length_prefixed(sample)), codec) for sample, *_ in sink.video]
    assert got == sent[: len(got)]
    assert sink.losses == []
    assert [sample[2] for sample in sink.video] == keyframes(clip)[: len(got)]
    times = sorted(sample[1] for sample in sink.video)
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    # The last frames of a B-frame clip may lack their neighbours.
    assert all(abs(step - 3000) <= 4 for step in steps[:-2])
    assert sink.order[0] == "parameters"
    video = sink.parameters[0][0]
    assert (video.codec, video.width_px, video.height_px) == (codec, 320, 180)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_aac_units_arrive_as_they_stand_in_the_file(clip_of, transport):
    clip = clip_of("h264")
    sent = audio_units(clip)
    with serving(clip, audio="aac") as url:
        sink = await collect(RtspTarget(url, transport=transport), lambda sink: len(sink.audio) >= len(sent) - 5)
    got = [sample for sample, *_ in sink.audio]
    start = sent.index(got[0])
    assert start <= 1
    assert got == sent[start : start + len(got)]
    assert {duration for *_, duration in sink.audio} == {1024}
    audio = sink.parameters[0][1]
    assert (audio.codec, audio.sample_rate_hz, audio.channels) == ("aac", 48000, 1)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_g711_arrives_without_a_hole_and_sender_reports_too(clip_of, transport):
    def is_enough(sink):
        return len(sink.audio) >= 40 and len(sink.video) > 10 and sink.reports

    with serving(clip_of("h264"), audio="pcmu") as url:
        sink = await collect(RtspTarget(url, transport=transport), is_enough)
    for (sample, timestamp, duration), (_, following, _) in itertools.pairwise(sink.audio):
        assert len(sample) == duration
        assert following == timestamp + duration
    assert sink.parameters[0][1].codec == "pcmu"
    for is_video, ntp_ns, timestamp, _ in sink.reports:
        assert abs(ntp_ns - time.time_ns()) < 60e9
        samples, clock_hz = (sink.video, 90_000) if is_video else (sink.audio, 8_000)
        assert abs(timestamp - samples[-1][1]) < 10 * clock_hz


@pytest.mark.parametrize("kind", ["basic", "digest"])
async def test_password_opens_the_stream_and_a_wrong_one_does_not(clip_of, kind):
    with serving(clip_of("h264"), auth=kind) as url:
        await collect(RtspTarget(url, "camera", "s3cret"), lambda sink: len(sink.video) > 5)
        for username, password in (("camera", "wr0ng"), ("", "")):
            with pytest.raises(CameraError) as caught:
                await describe(RtspTarget(url, username, password), LOCAL)
            assert caught.value.code == ErrorCode.UNAUTHORIZED
            assert caught.value.is_permanent
            assert "wr0ng" not in str(caught.value)


async def test_path_that_does_not_exist_is_not_found(clip_of):
    with serving(clip_of("h264")) as url, pytest.raises(CameraError) as caught:
        await describe(RtspTarget(url + "ing"), LOCAL)
    assert caught.value.code == ErrorCode.NOT_FOUND


async def test_probe_tells_size_rate_and_gop(clip_of):
    with serving(clip_of("h264"), audio="aac") as url:
        found = await describe(RtspTarget(url), LOCAL, watch_s=3)
    assert (found.video.width_px, found.video.height_px, found.audio.codec) == (320, 180, "aac")
    assert found.frame_rate == pytest.approx(30, abs=1)
    assert found.gop_s == pytest.approx(1, abs=0.05)
    assert found.server

"""Each fault, seen by a bare client; every test has a camera of its own in one simulator."""

from __future__ import annotations

import itertools
import time
from itertools import islice, pairwise

import pytest

from recorder.simcam.faults import parse_fault
from tests.oracle.footage import find_stamp

from .fixtures import SimcamProcess
from .raw_client import Packet, RawClient

_GOP = 15


@pytest.fixture(scope="module")
def cameras(tmp_path_factory):
    process = SimcamProcess(
        tmp_path_factory.mktemp("faults"), 40, "--size", "320x180", "--sub-size", "160x90", "--gop-s", "1",
        "--scene", "lobby", "--session-timeout", "2",
    )  # fmt: skip
    yield process
    process.stop()


_numbers = itertools.count(1)


@pytest.fixture
def camera():
    return next(_numbers)


def _is_key(frame: list[Packet]) -> bool:
    return any(packet.payload[0] & 0x1F in (24, 7) for packet in frame)


def _counters(frames: list[list[Packet]]) -> list[int | None]:
    return [find_stamp("h264", [packet.payload for packet in frame])[0] for frame in frames]


def _until_silence(client: RawClient, quiet_s: float = 0.5) -> None:
    client.socket.settimeout(quiet_s)
    with pytest.raises(TimeoutError):
        for _ in client.packets():
            pass
    client.socket.settimeout(5)


@pytest.mark.parametrize("fault", ["stall", "silent"])
def test_stalled_camera_sends_nothing_but_answers(cameras, camera, fault):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        list(islice(client.frames(), 3))
        cameras.inject(camera, fault)
        _until_silence(client)
        assert client.request("GET_PARAMETER", Session=client.session)[0] == 200
        cameras.inject(camera, "resume")
        assert _is_key(next(client.frames())), "after a stall the picture begins with a keyframe"


def test_stall_ends_by_itself(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        before = next(client.frames())
        started = time.monotonic()
        cameras.inject(camera, "stall@0s,1s")
        frames = list(islice(client.frames(), 12))
        assert time.monotonic() - started > 1
        steps = [(b[0].timestamp - a[0].timestamp) % 2**32 for a, b in pairwise([before, *frames])]
        assert max(steps) > 80_000, "timestamps tell the time that passed"
        counters = _counters(frames)
        assert counters == list(range(counters[0], counters[0] + 12)), "what wasn't taken isn't counted"


def test_half_open_camera_never_answers(cameras, camera):
    cameras.inject(camera, "half-open")
    with RawClient(cameras.url(camera), timeout_s=0.5) as client, pytest.raises(TimeoutError):
        client.request("DESCRIBE")


@pytest.mark.parametrize(
    ("status", "method"), [(401, "DESCRIBE"), (404, "DESCRIBE"), (503, "DESCRIBE"), (453, "SETUP")]
)
def test_camera_refuses(cameras, camera, status, method):
    cameras.inject(camera, str(status))
    with RawClient(cameras.url(camera)) as client:
        url = client.url + ("/track1" if method == "SETUP" else "")
        assert client.request(method, url, Transport="RTP/AVP/TCP;interleaved=0-1")[0] == status


def test_reset_is_a_reset(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        cameras.inject(camera, "reset")
        with pytest.raises(ConnectionResetError):
            for _ in client.packets():
                pass


def test_close_is_an_end(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        cameras.inject(camera, "close")
        with pytest.raises(EOFError):
            for _ in client.packets():
                pass


def test_garbage_breaks_the_framing(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        cameras.inject(camera, "garbage")
        with pytest.raises((AssertionError, TimeoutError)):
            list(islice(client.packets(), 200))


def test_garbage_nal_keeps_rtp_whole(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        list(islice(client.frames(), 2))
        cameras.inject(camera, "garbage-nal")
        frames = list(islice(client.frames(), 10))
        sequences = [packet.sequence for frame in frames for packet in frame]
        assert all((b - a) % 65536 == 1 for a, b in pairwise(sequences))
        assert None in _counters(frames)


def test_no_keyframe_comes(cameras, camera):
    cameras.inject(camera, "no-keyframe")
    with RawClient(cameras.url(camera)) as client:
        client.play()
        frames = list(islice(client.frames(), _GOP + 3))
        assert not any(_is_key(frame) for frame in frames)


def test_timestamps_jump_by_script(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        next(client.frames())
        cameras.inject(camera, "timestamp 2:+900000 5:-450000")
        frames = list(islice(client.frames(), 12))
    steps = [(b[0].timestamp - a[0].timestamp + 2**31) % 2**32 - 2**31 for a, b in pairwise(frames)]
    assert sorted(step for step in steps if step != 6000) == [-444_000, 906_000]


def test_timestamps_wrap(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        next(client.frames())
        cameras.inject(camera, "wrap 0.5")
        timestamps = [frame[0].timestamp for frame in islice(client.frames(), 20)]
    assert max(timestamps) > 2**32 - 90_000
    assert min(timestamps) < 90_000


@pytest.mark.parametrize(("fault", "channel", "count"), [("drop-audio", 2, 60), ("drop-video", 0, 20)])
def test_one_track_falls_silent(cameras, camera, fault, channel, count):
    with RawClient(cameras.url(camera)) as client:
        client.play("track1", "track2")
        list(islice(client.packets(), 20))
        cameras.inject(camera, fault)
        seen = [packet.channel for packet in islice(client.packets(), count) if isinstance(packet, Packet)]
        assert channel not in seen[-10:]


def test_frozen_picture_repeats_under_new_counters(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        next(client.frames())
        cameras.inject(camera, "freeze")
        frames = list(islice(client.frames(), 8))[2:]
        assert all(_is_key(frame) for frame in frames)
        assert len({frame[-1].payload for frame in frames}) == 1
        assert len(set(_counters(frames))) == len(frames)


def test_loss_leaves_holes_in_sequence_numbers(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        cameras.inject(camera, "loss 0.3")
        packets = [packet for packet in islice(client.packets(), 80) if isinstance(packet, Packet)]
    steps = [(b.sequence - a.sequence) % 65536 for a, b in pairwise(packets)]
    assert max(steps) > 1


def test_reorder_swaps_neighbours(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        cameras.inject(camera, "reorder 0.5")
        packets = [packet for packet in islice(client.packets(), 80) if isinstance(packet, Packet)]
    sequences = [packet.sequence for packet in packets]
    assert sequences != sorted(sequences)
    assert len(set(sequences)) == len(sequences)


def test_size_changes_in_mid_stream(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        frames = client.frames()
        first = next(frames)
        cameras.inject(camera, "size 256x144")
        sets = first[0].payload
        assert _is_key(first)
        changed = next(frame for frame in frames if _is_key(frame) and frame[0].payload != sets)
        assert changed
        assert client.request("DESCRIBE")[0] == 200


def test_codec_changes_with_a_new_session(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        cameras.inject(camera, "codec h265", "main")
        with pytest.raises(EOFError):
            for _ in client.packets():
                pass
    with RawClient(cameras.url(camera)) as client:
        assert "H265/90000" in client.request("DESCRIBE")[2]
    with RawClient(cameras.url(camera, "sub")) as client:
        assert "H264/90000" in client.request("DESCRIBE")[2]


def test_giant_length_is_announced(cameras, camera):
    cameras.inject(camera, "giant-length")
    with RawClient(cameras.url(camera), timeout_s=0.5) as client:
        client.send("DESCRIBE")
        assert b"Content-Length: 4294967296" in client.socket.recv(4096)


def test_header_never_ends(cameras, camera):
    cameras.inject(camera, "endless-header")
    with RawClient(cameras.url(camera)) as client:
        client.send("DESCRIBE")
        received = b""
        while len(received) < 1_000_000:
            received += client.socket.recv(65536)
        assert b"\r\n\r\n" not in received


def test_slow_camera_trickles(cameras, camera):
    cameras.inject(camera, "slow 100")
    with RawClient(cameras.url(camera)) as client:
        started = time.monotonic()
        assert client.request("OPTIONS")[0] == 200
        assert time.monotonic() - started > 0.5


def test_faults_hit_no_other_camera(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        for fault in ("stall", "reset", "garbage"):
            cameras.inject(next(_numbers), fault)
        frames = list(islice(client.frames(), 10))
    counters = _counters(frames)
    assert counters == list(range(counters[0], counters[0] + 10))


def test_session_times_out_without_sign_of_life(cameras, camera):
    with RawClient(cameras.url(camera)) as client:
        client.play()
        started = time.monotonic()
        with pytest.raises((EOFError, ConnectionResetError)):
            for _ in client.packets():
                pass
        assert 1.5 < time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["", "nonsense", "1:loss", "1:loss 2", "0/main:size big", "1:codec vp8"])
def test_bad_notation_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_fault(text)


def test_unknown_camera_is_refused(cameras):
    with pytest.raises(ValueError, match="no camera 99"):
        cameras.inject(99, "stall")


def test_notation_holds_camera_stream_and_times():
    fault = parse_fault("2/sub:loss 0.1@30s,10s")
    assert (fault.camera, fault.stream, fault.name, fault.arguments) == (2, "sub", "loss", ("0.1",))
    assert (fault.start_s, fault.length_s) == (30, 10)

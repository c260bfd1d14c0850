"""FFmpeg's libraries, by PyAV, as the client: what they receive is what the ledger says."""

from __future__ import annotations

import av
import pytest

from tests.oracle.footage import read_footage
from tests.oracle.verdict import find_sound, judge, read_ledger

_FRAMES = 24
_QUICK = {"analyzeduration": "300000", "fpsprobesize": "0"}
_TCP = {"rtsp_transport": "tcp", **_QUICK}
_SMALL = ("--size", "320x180", "--sub-size", "160x90", "--gop-s", "1", "--scene", "lobby")


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_frames_arrive_bit_for_bit(simcam, codec, b_frames):
    cameras = simcam(1, "--codec", codec, "--b-frames", b_frames, *_SMALL)
    seen = read_footage(cameras.url(), options=_TCP, max_frames=_FRAMES)
    cameras.stop()
    sent, units = read_ledger(cameras.ledger, "1/main")
    verdict = judge(seen.frames, sent)
    assert verdict.is_exact, verdict
    assert (seen.codec, seen.width_px, seen.height_px) == (codec, 320, 180)
    assert find_sound([unit.sha256 for unit in seen.units], [unit.sha256 for unit in units]) is not None


def test_udp_delivers_the_same(simcam):
    cameras = simcam(1, *_SMALL)
    seen = read_footage(cameras.url(1, "sub"), options={"rtsp_transport": "udp", **_QUICK}, max_frames=_FRAMES)
    cameras.stop()
    verdict = judge(seen.frames, read_ledger(cameras.ledger, "1/sub")[0])
    assert verdict.is_exact, verdict


@pytest.mark.parametrize(("audio", "count"), [("g711", 10), ("pcma", 10)])
def test_telephone_sound_arrives(simcam, audio, count):
    cameras = simcam(1, "--audio", audio, *_SMALL)
    seen = read_footage(cameras.url(), options=_TCP, max_frames=15)
    cameras.stop()
    units = read_ledger(cameras.ledger, "1/main")[1]
    assert len(seen.units) >= count
    assert find_sound([unit.sha256 for unit in seen.units], [unit.sha256 for unit in units]) is not None


def test_many_viewers_get_the_same_frames(simcam):
    cameras = simcam(1, *_SMALL)
    first = read_footage(cameras.url(), options=_TCP, max_frames=_FRAMES)
    second = read_footage(cameras.url(), options=_TCP, max_frames=_FRAMES)
    cameras.stop()
    sent, _ = read_ledger(cameras.ledger, "1/main")
    for seen in (first, second):
        assert judge(seen.frames, sent).is_exact
        assert seen.frames[0].is_keyframe
    counters = [frame.counter for frame in sent]
    assert counters == sorted(set(counters)), "a counter was used twice"


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_password_opens_the_stream(simcam, tmp_path, scheme):
    (tmp_path / "password").write_text("p@ss word\n")
    options = ("--user", "viewer", "--password-file", str(tmp_path / "password"), "--auth", scheme)
    cameras = simcam(1, *options, *_SMALL)
    url = cameras.url(userinfo="viewer:p%40ss%20word")
    assert read_footage(url, options=_TCP, max_frames=3).frames
    with pytest.raises(av.HTTPUnauthorizedError):
        read_footage(cameras.url(userinfo="viewer:wrong"), options=_TCP, max_frames=3)
    assert "p@ss" not in cameras.log()

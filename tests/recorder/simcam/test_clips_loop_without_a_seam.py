"""A clip of one second, sent for several: timestamps, counters and stamps go on as if it had no end."""

from __future__ import annotations

from itertools import islice, pairwise

from tests.oracle.footage import find_stamp, read_footage
from tests.oracle.verdict import read_ledger

from .conftest import write_clip
from .raw_client import Packet, RawClient, Report

_FRAMES = 50  # more than three loops


def test_timestamps_go_on_in_even_steps(simcam, short_clip):
    cameras = simcam(1, "--clip", str(short_clip), "--stamp")
    with RawClient(cameras.url()) as client:
        client.play("track1")
        frames = list(islice(client.frames(), _FRAMES))
    shown = sorted(frame[0].timestamp for frame in frames)
    assert shown != [frame[0].timestamp for frame in frames], "the clip has B-frames, so decoding order differs"
    # the last few frames may precede ones that weren't read
    assert {after - before for before, after in pairwise(shown[:-3])} == {6000}
    sequences = [packet.sequence for frame in frames for packet in frame]
    assert all((after - before) % 65536 == 1 for before, after in pairwise(sequences))


def test_counters_rise_by_one_and_stamps_tell_the_time(simcam, short_clip):
    cameras = simcam(1, "--clip", str(short_clip), "--stamp")
    with RawClient(cameras.url()) as client:
        client.play("track1")
        frames = list(islice(client.frames(), _FRAMES))
    stamps = [find_stamp("h264", [packet.payload for packet in frame]) for frame in frames]
    assert [counter for counter, _ in stamps] == list(range(_FRAMES))
    late_ns = sorted(abs(frame[-1].arrived_ns - utc) for frame, (_, utc) in zip(frames, stamps, strict=True))
    assert late_ns[len(late_ns) // 2] < 50_000_000


def test_frames_come_at_their_time_without_drift(simcam, short_clip):
    cameras = simcam(1, "--clip", str(short_clip), "--stamp")
    with RawClient(cameras.url()) as client:
        client.play("track1")
        frames = list(islice(client.frames(), _FRAMES))
    stamps = [find_stamp("h264", [packet.payload for packet in frame])[1] for frame in frames]
    elapsed_s = (stamps[-1] - stamps[0]) / 1e9
    assert abs(elapsed_s - (_FRAMES - 1) / 15) < 0.05


def test_sound_goes_on_in_even_steps(simcam, short_clip):
    cameras = simcam(1, "--clip", str(short_clip))
    with RawClient(cameras.url()) as client:
        client.play("track1", "track2")
        sound = (packet for packet in client.packets() if isinstance(packet, Packet) and packet.channel == 2)
        timestamps = [packet.timestamp for packet in islice(sound, 48)]
    assert {after - before for before, after in pairwise(timestamps)} == {1024}


def test_file_frames_stay_untouched(simcam, tmp_path):
    for codec in ("h264", "h265"):
        path = write_clip(tmp_path / f"{codec}.mp4", codec, b_frames=2, audio=None)
        cameras = simcam(1, "--clip", str(path))
        with RawClient(cameras.url()) as client:
            client.play("track1")
            list(islice(client.frames(), 32))
        cameras.stop()
        in_file = [frame.sha256 for frame in read_footage(path).frames]
        sent = [frame.sha256 for frame in read_ledger(cameras.ledger, "1/main")[0]]
        assert sent[:30] == in_file * 2


def test_other_sound_is_left_out_with_a_notice(simcam, tmp_path):
    path = write_clip(tmp_path / "mp2.mkv", "h264", audio="mp2")
    cameras = simcam(1, "--clip", str(path))
    with RawClient(cameras.url()) as client:
        _, _, sdp = client.request("DESCRIBE")
    assert "m=audio" not in sdp
    assert "sound is left out" in cameras.log()


def test_sender_reports_relate_clock_and_timestamps(simcam, short_clip):
    cameras = simcam(1, "--clip", str(short_clip), "--stamp")
    with RawClient(cameras.url()) as client:
        headers = client.play("track1")
        seen: list[Packet] = []
        for packet in client.packets():
            if isinstance(packet, Report):
                break
            seen.append(packet)
    # the report's instant and the first frame's are a few milliseconds apart; B-frames are shown two frames late
    ahead_s = ((packet.timestamp - seen[0].timestamp) % 2**32) / 90_000
    assert 0 <= ahead_s < 0.3
    assert abs(packet.utc_ns - seen[-1].arrived_ns) < 50_000_000
    assert f"rtptime={seen[0].timestamp}" in headers["rtp-info"]
    assert f"seq={seen[0].sequence}" in headers["rtp-info"]

"""How far one viewer may fall behind. The far side of the network is a stand-in that reads as the test says."""

import json
import time

import pytest

from recorder.fmp4 import build_init, video_fragment_header
from recorder.media import viewer as viewers
from recorder.media.broadcast import Broadcast, LiveFragment
from recorder.media.viewer import MAX_WAITING_BYTES, Viewer

from .footage import GOP, encode


class Reader:
    """Takes the place of a `FrameWriter` whose browser reads only when told."""

    def __init__(self):
        self.frames = []
        self.waiting_bytes = 0

    def write(self, frame):
        self.frames.append(frame)
        self.waiting_bytes += len(frame)

    def write_all(self, frames):
        for frame in frames:
            self.write(frame)


class Camera:
    def __init__(self, size=100_000):
        self.broadcast = Broadcast()
        self.broadcast.publish_init(build_init(encode().video, None))
        self.size = size
        self.number = 0

    def send(self, frames):

        for _ in range(frames):
            is_keyframe = self.number % GOP == 0
            ticks = int(time.time() * 90000)
            head = video_fragment_header(self.number, ticks, 6000, self.size, is_keyframe, 0)
            content = head + self.number.to_bytes(4, "big") + bytes(self.size - 4)
            self.broadcast.publish(LiveFragment(content, 1, ticks, is_keyframe))
            self.number += 1


def numbers(reader):
    """Frame numbers that reached the reader's queue."""
    return [int.from_bytes(frame[10 + 112 : 10 + 116], "big") for frame in reader.frames if len(frame) > 50_000]


@pytest.fixture
async def pair():
    camera, slow, quick = Camera(), Reader(), Reader()
    for reader in (slow, quick):
        camera.broadcast.subscribe(Viewer(reader, "c", "main", False))
    return camera, slow, quick


async def test_backlog_is_bounded_and_others_get_everything(pair):
    camera, slow, quick = pair
    for _ in range(100):
        camera.send(1)
        quick.waiting_bytes = 0
    assert numbers(quick) == list(range(100))
    two_gops = 2 * GOP * 100_300
    assert slow.waiting_bytes <= max(MAX_WAITING_BYTES, two_gops) + 100_300


async def test_viewer_in_step_again_goes_on_with_a_keyframe(pair):
    camera, slow, _ = pair
    camera.send(100)
    got = numbers(slow)
    assert got == list(range(len(got)))
    assert len(got) < 100
    slow.waiting_bytes = 0
    camera.send(2 * GOP)
    later = numbers(slow)[len(got) :]
    assert later[0] % GOP == 0
    assert later == list(range(later[0], camera.number))


async def test_viewer_who_stays_behind_is_dropped(pair, monkeypatch):
    camera, slow, quick = pair
    camera.send(100)
    (lost,) = [one for one in camera.broadcast.subscribers if one._writer is slow]
    assert not lost.closed.done()
    monkeypatch.setattr(viewers, "MAX_BEHIND_S", -1)
    quick.waiting_bytes = 0
    camera.send(1)
    assert lost.closed.result() == 4408


async def test_viewer_who_comes_later_gets_the_gop_so_far():
    camera, reader = Camera(), Reader()
    camera.send(GOP + 4)
    camera.broadcast.subscribe(Viewer(reader, "c", "main", False))
    assert numbers(reader) == list(range(GOP, GOP + 4))
    description = json.loads(reader.frames[0][4:])
    assert description["width"] == 320

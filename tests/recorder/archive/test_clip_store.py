"""Range requests of one player are answered from one clip."""

from recorder.archive.clip_store import CLOSED_CLIP_S, OPEN_CLIP_S, ClipStore
from tests.recorder.archive.recorded import CAMERA, START_MS


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_same_span_is_built_once_until_it_is_old(archive, catalog):
    archive.record()
    clock = Clock()
    clips = ClipStore(catalog, clock=clock)
    first = clips.get(CAMERA, "main", START_MS, START_MS + 5500)
    assert first.is_final
    clock.now = CLOSED_CLIP_S - 1
    assert clips.get(CAMERA, "main", START_MS, START_MS + 5500) is first
    clock.now = CLOSED_CLIP_S
    assert clips.get(CAMERA, "main", START_MS, START_MS + 5500) is not first


def test_clip_of_growing_footage_stays_the_same_for_a_while(archive, catalog):
    archive.record(is_left_open=True)
    clock = Clock()
    clips = ClipStore(catalog, clock=clock)
    first = clips.get(CAMERA, "main", START_MS, START_MS + 60_000)
    assert not first.is_final
    archive.record(START_MS + 6000)
    assert clips.get(CAMERA, "main", START_MS, START_MS + 60_000) is first
    clock.now = OPEN_CLIP_S
    assert clips.get(CAMERA, "main", START_MS, START_MS + 60_000).length > first.length


def test_store_keeps_within_its_bytes(archive, catalog):
    archive.record()
    clips = ClipStore(catalog, max_bytes=1)
    first = clips.get(CAMERA, "main", START_MS, START_MS + 5000)
    clips.get(CAMERA, "main", START_MS, START_MS + 4000)
    assert clips.get(CAMERA, "main", START_MS, START_MS + 5000) is not first

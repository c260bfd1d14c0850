"""Damaged, torn and vanishing files cost themselves, never the answer."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.archive.catalog import Catalog
from recorder.archive.clip import build_clip
from recorder.archive.exceptions import ArchiveError
from recorder.archive.frame_at import find_frame
from recorder.archive.hls import build_playlist
from recorder.archive.span import read_span
from tests.recorder.archive.recorded import CAMERA, START_MS

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLACES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12)


@FUZZ
@given(places=PLACES, cut=st.floats(0.3, 1), number=st.integers(0, 2))
def test_every_answer_over_a_damaged_file_is_whole_or_says_why_not(archive, places, cut, number):
    if not archive.paths:
        archive.record(audio="aac", b_frames=2)
        archive.whole = [path.read_bytes() for path in archive.paths]
    for path, whole in zip(archive.paths, archive.whole, strict=True):
        path.write_bytes(whole)
    damaged = bytearray(archive.whole[number])
    # The init segment and the first headers, where a wrong byte does most, get half of the damage.
    for position, (place, value) in enumerate(places):
        damaged[int(place * (1500 if position % 2 else len(damaged)))] = value
    archive.paths[number].write_bytes(damaged[: int(cut * len(damaged))])
    catalog = Catalog(lambda: [archive.volume])
    end_ms = START_MS + 6000
    for ask in (
        lambda: build_clip(catalog, CAMERA, "main", START_MS + 500, end_ms).body,
        lambda: read_span(catalog, CAMERA, "main", START_MS + 2500, end_ms, with_audio=False).body,
        lambda: find_frame(catalog, CAMERA, "main", START_MS + 2500).body,
        lambda: build_playlist(catalog, CAMERA, "main", START_MS, end_ms, now_ms=end_ms),
    ):
        try:
            answer = ask()
        except ArchiveError:
            continue
        if not isinstance(answer, str):
            assert sum(map(len, answer.iter_bytes())) == answer.length


def test_file_renamed_to_another_time_is_foreign(archive, catalog):
    archive.record(seconds=2)
    archive.paths[0].rename(archive.paths[0].with_name(f"{START_MS + 1_800_000}-1.mp4"))
    assert catalog.segments(CAMERA, "main", START_MS, START_MS + 3_600_000) == []


def test_file_that_lost_its_end_after_the_plan_is_named_as_gone(archive, catalog):
    archive.record()
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 6000)
    archive.paths[1].write_bytes(b"")
    with pytest.raises(ArchiveError, match="lost its end"):
        list(span.body.iter_bytes())

"""Footage is found on the disk alone, cheaply, and foreign or broken files do no harm."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.archive.catalog import Catalog
from recorder.archive.indexes import IndexCache
from recorder.archive.listing import SETTLE_NS, ListingCache
from tests.recorder.archive.recorded import CAMERA, START_MS, Archive

HOUR_MS = 3_600_000


def starts(refs):
    return [ref.named_ms - START_MS for ref in refs]


def age(volume):
    """As if nothing had changed for a while, so that listings may be cached."""
    for directory, _, _ in os.walk(volume):
        status = os.lstat(directory)
        os.utime(directory, ns=(status.st_atime_ns, status.st_mtime_ns - 2 * SETTLE_NS))


def test_span_finds_the_files_that_overlap_it(archive, catalog):
    archive.record()
    assert starts(catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)) == [0, 2000, 4000]
    assert starts(catalog.segments(CAMERA, "main", START_MS + 2500, START_MS + 4000)) == [2000]
    assert starts(catalog.segments(CAMERA, "main", START_MS + 6000, START_MS + 9000)) == []
    assert starts(catalog.segments(CAMERA, "sub", START_MS, START_MS + 6000)) == []
    assert starts(catalog.segments(CAMERA, "main", START_MS + 5, START_MS + 5)) == []


def test_file_that_began_in_an_earlier_hour_or_day_is_found(archive, catalog):
    midnight = START_MS + 12 * HOUR_MS
    archive.record(midnight - 3000, segment_s=60)
    assert len(catalog.segments(CAMERA, "main", midnight + 1000, midnight + 2000)) == 1


def test_open_file_is_among_them_and_grows(archive, catalog):
    archive.record(is_left_open=True)
    refs = catalog.segments(CAMERA, "main", START_MS, START_MS + 60_000)
    assert [ref.is_open for ref in refs] == [False, False, True]
    assert refs[-1].end_ms == START_MS + 6000


def test_complete_file_hides_the_open_one_of_its_name(archive, catalog):
    archive.record()
    shutil.copy(archive.paths[0], f"{archive.paths[0]}.part")
    assert [ref.is_open for ref in catalog.segments(CAMERA, "main", START_MS, START_MS + 1)] == [False]


def test_new_file_in_a_cached_directory_is_noticed(archive, catalog):
    archive.record(seconds=2)
    age(archive.volume)
    assert len(catalog.segments(CAMERA, "main", START_MS, START_MS + 9000)) == 1
    archive.record(START_MS + 2000, seconds=2)
    assert len(catalog.segments(CAMERA, "main", START_MS, START_MS + 9000)) == 2


def test_short_span_in_a_month_with_gaps_lists_few_directories(archive):
    for hour in range(0, 30 * 24, 7):
        archive.record(START_MS + hour * HOUR_MS, seconds=2)
    age(archive.volume)
    listings = ListingCache()
    catalog = Catalog(lambda: [archive.volume], listings=listings)
    at_ms = START_MS + 20 * 24 * HOUR_MS
    catalog.segments(CAMERA, "main", at_ms, at_ms + 60_000)
    catalog.nearest(CAMERA, "main", at_ms)
    assert listings.listings_read <= 10
    read = listings.listings_read
    catalog.segments(CAMERA, "main", at_ms, at_ms + 60_000)
    assert listings.listings_read == read


def test_listing_cache_forgets_the_oldest(archive):
    archive.record(seconds=2)
    age(archive.volume)
    listings = ListingCache(max_directories=1)
    catalog = Catalog(lambda: [archive.volume], listings=listings)
    for _ in range(3):
        assert len(catalog.segments(CAMERA, "main", START_MS, START_MS + 1000)) == 1
    assert len(listings._cached) == 1


def test_index_of_a_complete_file_is_read_once(archive):
    archive.record()
    indexes = IndexCache()
    catalog = Catalog(lambda: [archive.volume], indexes=indexes)
    for _ in range(3):
        catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)
    assert indexes.reads == 3


def test_index_cache_keeps_within_its_bytes(archive):
    archive.record()
    indexes = IndexCache(max_bytes=1)
    catalog = Catalog(lambda: [archive.volume], indexes=indexes)
    for ref in catalog.segments(CAMERA, "main", START_MS, START_MS + 6000):
        assert catalog.indexed(ref) is not None
    assert len(indexes._held) == 1


def test_higher_epoch_shows_what_both_recorded(archive, catalog):
    archive.record(epoch=1, segment_s=60)
    archive.record(START_MS + 2000, epoch=2, seconds=2)
    refs = catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)
    shown = [(ref.epoch, ref.start_ms - START_MS, ref.end_ms - START_MS) for ref in refs]
    assert shown == [(1, 0, 2000), (2, 2000, 4000), (1, 4000, 6000)]


def test_copy_on_another_volume_counts_once(archive, tmp_path):
    archive.record()
    shutil.copytree(archive.volume, tmp_path / "copy")
    catalog = Catalog(lambda: [archive.volume, tmp_path / "copy"])
    assert len(catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)) == 3


def test_footage_on_two_volumes_is_one_timeline(archive, tmp_path):
    archive.record()
    other = Archive(tmp_path / "other").record(START_MS + 6000)
    catalog = Catalog(lambda: [other.volume, archive.volume, tmp_path / "unmounted"])
    refs = catalog.segments(CAMERA, "main", START_MS, START_MS + 60_000)
    assert starts(refs) == [0, 2000, 4000, 6000, 8000, 10_000]


def test_foreign_files_and_links_are_ignored(archive, catalog, tmp_path):
    archive.record()
    hour = archive.paths[0].parent
    (hour / "notes.txt").write_text("x")
    (hour / f"{START_MS + 1}-1.mp4").symlink_to(archive.paths[0])
    (hour / f"{START_MS + 2}-1.mp4").mkdir()
    (hour / f"{START_MS + 3}-1.mp4").write_bytes(b"no mp4 at all" * 100)
    (hour / f"{START_MS + 4}-1.mp4").write_bytes(b"")
    os.mkfifo(hour / f"{START_MS + 5}-1.mp4")
    (hour / f"{START_MS + HOUR_MS}-1.mp4").write_bytes(archive.paths[0].read_bytes())
    (hour.parent / "25").mkdir()
    (hour.parent.parent / "lost+found").mkdir()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(hour, elsewhere, ignore=lambda *_: [f"{START_MS + 5}-1.mp4"])
    (hour.parent / "13").symlink_to(elsewhere)
    assert starts(catalog.segments(CAMERA, "main", START_MS, START_MS + 2 * HOUR_MS)) == [0, 2000, 4000]
    assert catalog.nearest(CAMERA, "main", START_MS + HOUR_MS) == (START_MS + 5900, None)


def test_truncated_file_gives_what_is_whole(archive, catalog):
    archive.record(segment_s=60)
    size = archive.paths[0].stat().st_size
    os.truncate(archive.paths[0], size // 2)
    (ref,) = catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)
    assert START_MS + 1000 < ref.end_ms < START_MS + 5000


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20),
    cut=st.floats(0, 1),
)
def test_damaged_file_never_raises(archive, catalog, places, cut):
    if not archive.paths:
        archive.record(seconds=2, audio="pcma")
        archive.whole = archive.paths[0].read_bytes()
    damaged = bytearray(archive.whole)
    for place, value in places:
        damaged[int(place * len(damaged))] = value
    replacement = archive.paths[0].with_name("damaged")
    replacement.write_bytes(damaged[: int(cut * len(damaged))])
    replacement.rename(archive.paths[0])
    for ref in catalog.segments(CAMERA, "main", START_MS, START_MS + 6000):
        assert ref.start_ms < ref.end_ms


def test_deleted_file_is_passed_over(archive, catalog):
    archive.record()
    assert len(catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)) == 3
    archive.paths[1].unlink()
    assert starts(catalog.segments(CAMERA, "main", START_MS, START_MS + 6000)) == [0, 4000]


def test_nearest_moments_around_a_hole(archive, catalog):
    archive.record()
    archive.record(START_MS + 50 * HOUR_MS)
    assert catalog.nearest(CAMERA, "main", START_MS - 1) == (None, START_MS)
    assert catalog.nearest(CAMERA, "main", START_MS + 10_000) == (START_MS + 5900, START_MS + 50 * HOUR_MS)
    assert catalog.nearest(CAMERA, "main", START_MS + 51 * HOUR_MS) == (START_MS + 50 * HOUR_MS + 5900, None)
    assert catalog.nearest(CAMERA, "sub", START_MS) == (None, None)


def test_bounds_are_the_earliest_and_the_end_of_the_latest(archive, catalog):
    assert catalog.bounds(CAMERA, "main") is None
    archive.record()
    archive.record(START_MS + 50 * HOUR_MS)
    assert catalog.bounds(CAMERA, "main") == (START_MS, START_MS + 50 * HOUR_MS + 6000)


def test_file_is_found_by_its_name(archive, catalog):
    archive.record(epoch=3, is_left_open=True)
    assert catalog.find(CAMERA, "main", START_MS, 3) == archive.paths[0]
    assert catalog.find(CAMERA, "main", START_MS + 4000, 3) == archive.paths[-1]
    assert catalog.find(CAMERA, "main", START_MS, 4) is None


@pytest.mark.parametrize("camera", ["../../etc", "x"])
def test_camera_that_is_no_uuid_is_refused(catalog, camera):
    with pytest.raises(ValueError, match="UUID"):
        catalog.segments(camera, "main", 0, 1)

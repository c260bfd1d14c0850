"""Which capture process records which camera (DV01)."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.worker.reconcile import assign_shards

cameras = st.sets(st.text("abcdef", min_size=1, max_size=3), max_size=40)


@given(cameras, st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 5)), st.integers(1, 4))
def test_every_camera_has_one_shard_and_stays_where_it_was(names, previous, shards):
    assigned = assign_shards(names, previous, shards)
    assert set(assigned) == names
    assert all(0 <= shard < shards for shard in assigned.values())
    assert all(assigned[name] == previous[name] for name in names if previous.get(name, shards) < shards)


@given(cameras, st.integers(1, 4))
def test_new_cameras_are_spread_evenly(names, shards):
    counts = [list(assign_shards(names, {}, shards).values()).count(shard) for shard in range(shards)]
    assert max(counts) - min(counts) <= 1

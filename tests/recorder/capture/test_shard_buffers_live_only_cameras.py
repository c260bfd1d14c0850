"""A camera that is only watched lives in a ring: no journal rows, the state `live`, closed files at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from recorder.capture.committer import sweep_buffer
from recorder.capture.desired import VolumeSpec
from tests.recorder.capture.shard_process import ShardProcess, wait_until

SIZES = ("--size", "320x180", "--sub-size", "160x90", "--kbit-s", "200", "--gop-s", "1", "--audio", "none")


def test_segments_of_a_buffer_are_neither_journaled_nor_kept(
    shard: Callable[..., ShardProcess], simcam: Callable, tmp_path: Path
) -> None:
    cameras = simcam(1, *SIZES)
    capture = shard()
    ring = VolumeSpec(str(uuid.uuid4()), str(tmp_path / "ring"), is_buffer=True)  # made by capture itself
    capture.volumes.append(ring)
    main = capture.want(1, cameras.url(1), volume=ring.id)
    capture.apply()
    capture.start()
    capture.wait_for("live", main)
    wait_until(lambda: capture.files(main), 20, "a closed segment in the ring")
    capture.stop()
    assert capture.rows("segment") == []
    newest = max(path.stat().st_mtime for path in capture.files(main))
    assert sweep_buffer(Path(ring.path), newest - 3600) == 0
    assert sweep_buffer(Path(ring.path), newest + 1) >= 1
    assert capture.files(main) == []

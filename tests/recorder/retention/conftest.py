"""Ten minutes of one camera, as rows and small files."""

from pathlib import Path

import pytest

from recorder.models import Recording, Segment
from recorder.retention.purge import relative_path
from tests.recorder.retention.archived import MINUTE, START


@pytest.fixture
def stream(camera):
    return camera.streams.get()


@pytest.fixture
def recording(stream, server, volume):
    """Ten minutes in ten segments, with a small file for each."""
    run = Recording.objects.create(
        stream=stream, server=server, epoch=1, started_at=START, ended_at=START + 10 * MINUTE
    )
    for n in range(10):
        segment = Segment.objects.create(
            stream=stream, recording=run, volume=volume, epoch=1, started_at=START + n * MINUTE,
            ended_at=START + (n + 1) * MINUTE, size_bytes=1000, frame_count=900, keyframe_count=30, video_codec="h264",
        )  # fmt: skip
        path = Path(volume.path) / relative_path(segment)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    return run

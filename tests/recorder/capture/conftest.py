from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.recorder.capture.shard_process import ShardProcess


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Callable[..., ShardProcess]]:
    """`shard(volumes=2)` prepares a home; the process ends with the test."""
    made: list[ShardProcess] = []

    def make(**settings: int) -> ShardProcess:
        made.append(ShardProcess(tmp_path, **settings))
        return made[-1]

    yield make
    for process in made:
        process.end()

"""Disks, recorders and whole products for the rig; everything is taken away again, also after a failure."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rig.disks import LoopDisk, TmpDisk, can_mount
from tests.rig.recorder import Recorder
from tests.rig.shim import find_compiler

SIZES = ("--size", "320x180", "--sub-size", "160x90", "--kbit-s", "200", "--gop-s", "1", "--audio", "none")
"""Small cameras: what is tried here is order and loss, not load."""


class Disks:
    """Makes disks below one directory; each lies at a path of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._made: list[TmpDisk | LoopDisk] = []

    def tmpfs(self, name: str, **settings: int) -> TmpDisk:
        self._need_root()
        self._made.append(TmpDisk(self.directory / name, **settings))
        return self._made[-1]

    def ext4(self, name: str, **settings: int) -> LoopDisk:
        self._need_root()
        self._made.append(LoopDisk(self.directory / f"{name}.img", self.directory / name, **settings))
        return self._made[-1]

    def directory_of(self, name: str) -> Path:
        """No disk of its own: for faults of the shim."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def close(self) -> None:
        for disk in reversed(self._made):
            disk.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def _need_root() -> None:
        if not can_mount():
            pytest.skip("mounting disks needs root and loop devices")


def _make_disks() -> Iterator[Disks]:
    # In memory where possible: what a syncfs of the rig costs shall not depend on this machine's disk.
    memory = Path("/dev/shm")
    disks = Disks(Path(tempfile.mkdtemp(prefix="heron-rig-", dir=memory if memory.is_dir() else None)))
    try:
        yield disks
    finally:
        disks.close()


@pytest.fixture
def disks() -> Iterator[Disks]:
    yield from _make_disks()


@pytest.fixture(scope="module")
def module_disks() -> Iterator[Disks]:
    yield from _make_disks()


@pytest.fixture
def recorder(tmp_path: Path, disks: Disks) -> Iterator[Callable[..., Recorder]]:
    """`recorder([path, ...])`: capture on these volumes; without any on one directory. Depends on `disks`, so the
    process has
    ended before its disks go."""
    if find_compiler() is None:
        pytest.skip("the shim needs a C compiler")
    made: list[Recorder] = []

    def make(volumes: list[Path] | None = None, **settings: object) -> Recorder:
        made.append(Recorder(tmp_path, volumes or [disks.directory_of("volume")], **settings))
        return made[-1]

    yield make
    for process in made:
        process.end()


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """The same choices each time, other ones in each test."""
    return random.Random(request.node.name)

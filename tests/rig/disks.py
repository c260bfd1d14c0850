"""Small real disks for the recorder: ext4 images on loop devices and tmpfs with little room, always taken away again.

Only root can make them; `can_mount` says whether this machine lets us. A `LoopDisk` can be unmounted under its
user, swapped with
another, made read-only, and copied at any moment as a power cut would leave it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import time
from pathlib import Path

MIB = 1 << 20
SNAPSHOT_TRIES = 200
RELEASED_WITHIN_S = 15


def _run(*command: str | Path | int) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


class TmpDisk:
    """A tmpfs of a given size, and with a given number of inodes where asked."""

    def __init__(self, mount_point: Path, *, size_bytes: int = 64 * MIB, inodes: int | None = None) -> None:
        self.path = mount_point
        mount_point.mkdir(parents=True, exist_ok=True)
        options = f"size={size_bytes},mode=0700" + (f",nr_inodes={inodes}" if inodes else "")
        _run("mount", "-t", "tmpfs", "-o", options, "heron-rig", mount_point)

    def fill(self, keep_bytes: int = 0) -> Path:
        """Somebody else's file takes all but `keep_bytes`."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                stats = os.statvfs(self.path)
                wanted = stats.f_bavail * stats.f_frsize - keep_bytes
                if keep_bytes and wanted <= 0:
                    break
                # Others write meanwhile: the last bytes are taken in small bites, until the disk says no.
                file.write(bytes(max(4096, min(wanted, MIB))))
        return filler

    def take_inodes(self) -> list[Path]:
        """Empty files until there is no inode left."""
        directory = self.path / "many"
        directory.mkdir()
        made: list[Path] = []
        with contextlib.suppress(OSError):
            while True:
                path = directory / str(len(made))
                path.touch()
                made.append(path)
        return made

    def unmount(self) -> None:
        with contextlib.suppress(OSError):
            _run("umount", "-l", self.path)

    close = unmount


class LoopDisk:
    """An ext4 image. `image` lies on whatever holds the directory; a tmpfs makes copies quick."""

    def __init__(self, image: Path, mount_point: Path, *, size_bytes: int = 96 * MIB, make: bool = True) -> None:
        self.image = image
        self.path = mount_point
        self.device: str | None = None
        if make:
            with image.open("wb") as file:
                file.truncate(size_bytes)
            _run("mkfs.ext4", "-q", "-F", "-b", 4096, "-m", 0, "-J", "size=4", "-E", "lazy_itable_init=1", image)
        mount_point.mkdir(parents=True, exist_ok=True)
        self.mount()

    def mount(self, *options: str) -> None:
        # A lazy unmount ends when the last user has gone; two mounts of one image would ruin it.
        deadline_s = time.monotonic() + RELEASED_WITHIN_S
        while _run("losetup", "-j", self.image):
            assert time.monotonic() < deadline_s, (
                f"somebody still uses {self.image} {RELEASED_WITHIN_S} s after it was unmounted"
            )
            time.sleep(0.02)
        self.device = _run("losetup", "-f", "--show", self.image)
        try:
            _run("mount", "-t", "ext4", "-o", ",".join(("errors=remount-ro", *options)), self.device, self.path)
        except OSError:
            self.detach()
            raise

    def remount_read_only(self) -> None:
        """As the kernel does after an error in the file system: at once, also with writers (which `mount` refuses).
        Kernels from 6.6 on don't show it in the mount's flags; a `remount` on them doesn't undo it, `unmount` and
        `mount` do."""
        (Path("/sys/fs/ext4") / Path(self.device or "").name / "trigger_fs_error").write_text("rig")
        with contextlib.suppress(OSError):
            (self.path / "trial").write_text("still writable")
            raise AssertionError("the file system stayed writable")

    def unmount(self) -> None:
        """Lazily: whoever has files open keeps them, everybody else finds the empty mount point."""
        with contextlib.suppress(OSError):
            _run("umount", "-l", self.path)
        self.detach()

    def detach(self) -> None:
        if self.device is not None:
            with contextlib.suppress(OSError):
                _run("losetup", "-d", self.device)
            self.device = None

    def close(self) -> None:
        self.unmount()
        self.image.unlink(missing_ok=True)


def snapshot(disks: list[LoopDisk]) -> list[list[tuple[int, bytes]]]:
    """What lies on the images of `disks`, all at one instant: read twice, and again until nothing moved in between.
    (A copy that tears shows a state no power cut could leave.)"""
    for _ in range(SNAPSHOT_TRIES):
        first = [_extents(disk.image) for disk in disks]
        if first == [_extents(disk.image) for disk in disks]:
            return first
    raise OSError("the images never stood still")


def restore(disk: LoopDisk, extents: list[tuple[int, bytes]]) -> None:
    """Put the snapshot in the place of the image; the disk must be unmounted."""
    size = disk.image.stat().st_size
    disk.image.unlink()
    with disk.image.open("wb") as file:
        file.truncate(size)
        for at, content in extents:
            os.pwrite(file.fileno(), content, at)


def _extents(image: Path) -> list[tuple[int, bytes]]:
    extents = []
    with image.open("rb", buffering=0) as file:
        fd, size, at = file.fileno(), os.fstat(file.fileno()).st_size, 0
        while at < size:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(fd, start, os.SEEK_HOLE)
            extents.append((start, os.pread(fd, at - start, start)))
    return extents


@functools.cache
def can_mount() -> bool:
    """Whether tmpfs and ext4 on a loop device work here; tried once."""
    if os.geteuid() != 0:
        return False
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        try:
            TmpDisk(root / "tmpfs", size_bytes=MIB).close()
            LoopDisk(root / "image", root / "ext4", size_bytes=32 * MIB).close()
        except OSError:
            return False
    return True

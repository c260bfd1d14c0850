"""Builds the preloaded shim (`shim.c`) and tells it, while a process runs, which disk calls fail and what time it is.

The library is built once for each state of its source, into the temporary directory. `Shim.environment` goes to the
process to be fooled; its children inherit it. All changes take effect with the next call.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
CALLS = {
    "open": 1, "write": 2, "writev": 4, "fsync": 8, "syncfs": 16, "rename": 32, "unlink": 64, "truncate": 128,
    "fallocate": 256, "mkdir": 512,
}  # fmt: skip
WRITES = ("open", "write", "writev", "fallocate", "truncate", "mkdir")
ALL_CALLS = tuple(CALLS)
SHORT_WRITE = -1
MAX_RULES = 16
_HEADER = struct.Struct("<qqqII")
_RULE = struct.Struct("<IiIIiI232s")


def find_compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc")


def build_shim() -> Path:
    """The library's path. Raises `subprocess.CalledProcessError` when it can't be built."""
    source = SOURCE.read_bytes()
    directory = Path(tempfile.gettempdir()) / f"heron-rig-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    library = directory / f"shim-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if not library.exists():
        temporary = library.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [find_compiler() or "cc", "-O2", "-fPIC", "-shared", "-Wall", "-o", temporary, SOURCE, "-ldl"], check=True
        )
        temporary.rename(library)
    return library


class Shim:
    """One control page; rules are numbered in the order they were made."""

    def __init__(self, directory: Path, *, seed: int = 1) -> None:
        self._path = directory / "shim.control"
        self._path.write_bytes(bytes(_HEADER.size + MAX_RULES * _RULE.size))
        with self._path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        struct.pack_into("<I", self._memory, 24, seed & 0xFFFFFFFF)
        self.environment = {"LD_PRELOAD": str(build_shim()), "RIG_SHIM": str(self._path)}

    # Disks.

    def strike(self, prefix: Path | str, calls: tuple[str, ...], *, error: int = 0, delay_ms: int = 0,
               percent: int = 100, times: int = -1) -> int:  # fmt: skip
        """Have `calls` on paths that begin with `prefix` fail with `error` (an errno, or `SHORT_WRITE`), after
        `delay_ms`;
        returns the rule's number for `lift`."""
        encoded = str(prefix).encode()
        assert len(encoded) < 232, "the prefix is too long for the shim"
        for number in range(MAX_RULES):
            at = _HEADER.size + number * _RULE.size
            if not struct.unpack_from("<I", self._memory, at)[0]:
                mask = sum(CALLS[call] for call in calls)
                _RULE.pack_into(self._memory, at, 0, error, delay_ms, percent, times, 0, encoded)
                struct.pack_into("<I", self._memory, at, mask)
                return number
        raise RuntimeError("all rules of the shim are in use")

    def lift(self, number: int | None = None) -> None:
        """End one rule, or all."""
        for rule in range(MAX_RULES) if number is None else (number,):
            struct.pack_into("<I", self._memory, _HEADER.size + rule * _RULE.size, 0)

    def hits(self, number: int) -> int:
        return struct.unpack_from("<I", self._memory, _HEADER.size + number * _RULE.size + 20)[0]

    def fill(self, prefix: Path | str) -> int:
        return self.strike(prefix, WRITES, error=errno.ENOSPC)

    def break_disk(self, prefix: Path | str) -> int:
        """Every call fails with EIO, the syncs too."""
        return self.strike(prefix, ALL_CALLS, error=errno.EIO)

    # The clock.

    @property
    def clock_offset_ns(self) -> int:
        return struct.unpack_from("<q", self._memory, 0)[0]

    def set_clock(self, offset_s: float) -> None:
        struct.pack_into("<q", self._memory, 0, int(offset_s * 1e9))

    def drift(self, ppm: float) -> None:
        struct.pack_into("<q", self._memory, 16, time.monotonic_ns())
        struct.pack_into("<q", self._memory, 8, int(ppm * 1000))

    def close(self) -> None:
        self._memory.close()

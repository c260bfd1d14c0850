"""What the desired state says about who may still watch, and the cutting of those who may not any more.

The file is looked at once a second (one `stat`), so that a right withdrawn in the database reaches running streams
within 5 s: up to 2 s until the recorder has written it, 1 s here. The media service needs nothing else of the site.
Loop's thread only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.desired import DesiredState, read_desired
from recorder.media.tokens import MediaClaims

log = logging.getLogger(__name__)

CHECK_S = 1.0


@dataclass(eq=False, slots=True)
class Viewing:
    """One answer under way."""

    claims: MediaClaims
    live_stream: str | None
    """`main` or `sub` where the answer is a live picture, which ends with the stream's desired state."""
    cut: Callable[[], object]


class Rights:
    def __init__(self, desired: Path) -> None:
        self._path = desired
        self._stamp: tuple[int, int] | None = None
        self._state: DesiredState | None = None
        self._live: frozenset[str] = frozenset()
        self._viewings: set[Viewing] = set()

    @property
    def volumes(self) -> list[Path]:
        """Where footage lies, buffers included."""
        return [Path(volume.path) for volume in self._state.volumes] if self._state else []

    def is_desired(self, camera: str, stream: str) -> bool:
        """Whether capture is meant to run this stream."""
        return f"{camera}.{stream}" in self._live

    def is_cut(self, claims: MediaClaims) -> bool:
        return self._state is not None and claims.is_cut(self._state.cut_before)

    @contextmanager
    def viewing(self, claims: MediaClaims, live_stream: str | None, cut: Callable[[], object]) -> Iterator[None]:
        """While inside, `cut` is called (once) as soon as the right ends."""
        viewing = Viewing(claims, live_stream, cut)
        self._viewings.add(viewing)
        try:
            yield
        finally:
            self._viewings.discard(viewing)

    def refresh(self) -> bool:
        """Read the file if it changed, and cut who lost the right. Returns whether it changed."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp == self._stamp:
                return False
            state = read_desired(self._path)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, TypeError, KeyError) as err:
            # The old state holds on: a torn file must neither open nor end anything.
            log.warning("desired state can't be read: %s", type(err).__name__)
            return False
        self._stamp, self._state = stamp, state
        self._live = frozenset(stream.key for stream in state.streams)
        for viewing in list(self._viewings):
            ended = viewing.live_stream and not self.is_desired(viewing.claims.camera, viewing.live_stream)
            if ended or self.is_cut(viewing.claims):
                self._viewings.discard(viewing)
                log.info(
                    "cut %s of camera %s for %s",
                    viewing.claims.use,
                    viewing.claims.camera,
                    viewing.claims.subject,
                )
                viewing.cut()
        return True

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.refresh()
            await asyncio.sleep(CHECK_S)

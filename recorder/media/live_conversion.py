"""What every converted live stream does alike: a subscriber of the plain broadcast that feeds a broadcast of its own.

Takes one transcoding slot when it first needs a process and keeps it until `stop`. A conversion that fails fails its
broadcast, whose viewers are told. Loop's thread only.
"""

from __future__ import annotations

from collections.abc import Sequence

from recorder.media.broadcast import Broadcast, LiveError, LiveFragment, StreamState
from recorder.media.ffmpeg_child import TranscodeSlots, TranscodingError

CLOSE_TRY_LATER = 4503


class LiveConversion:
    """A `Subscriber`; `stop` once at the end."""

    def __init__(self, target: Broadcast, slots: TranscodeSlots) -> None:
        self.is_started = False
        self._target = target
        self._slots = slots
        self._has_slot = False

    def start(self, state: StreamState, gop: Sequence[LiveFragment]) -> None:
        self.is_started = True
        self.on_state(state)
        for fragment in gop:
            self.on_fragment(fragment)

    def on_state(self, state: StreamState) -> None:
        raise NotImplementedError

    def on_fragment(self, fragment: LiveFragment) -> None:
        raise NotImplementedError

    def on_error(self, error: LiveError) -> None:
        self._target.fail(error)

    def stop(self) -> None:
        self._end_children()
        if self._has_slot:
            self._slots.give_back()
            self._has_slot = False

    def _take_slot(self) -> None:
        """Raises `TranscodeLimitReached`."""
        if not self._has_slot:
            self._slots.take()
            self._has_slot = True

    def _fail(self, err: TranscodingError | ValueError) -> None:
        code = err.code if isinstance(err, TranscodingError) else TranscodingError.code
        self._target.fail(LiveError(code, str(err), close_code=CLOSE_TRY_LATER))

    def _on_child_end(self, complaint: str) -> None:
        self._end_children()
        self._fail(TranscodingError("The conversion of this stream ended."))

    def _end_children(self) -> None:
        """Kill what runs for the parameters so far; may be called again."""
        raise NotImplementedError

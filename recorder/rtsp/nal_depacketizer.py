"""From NAL units in RTP packets to access units: what H.264 and H.265 have in common.

Subclasses know the payload formats (`feed`); this class knows where an access unit ends, when one is damaged, and
when parameter sets change. Created per connection by `tracks`; runs in the event loop's thread, several hundred
times a second and camera, so state is plain attributes and the parsing of a packet is one function.

Where an access unit ends: at the marker bit and at a change of the timestamp. Some cameras never set the marker,
some set it on every NAL unit; so the first access unit always waits for the next timestamp, and the marker is
trusted from then on if it was set on the last packet and no slice came after it.

A unit's NAL units are kept as they were sent, behind 4-byte lengths. Units with missing packets are dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from recorder.codecs import iter_length_prefixed, nal_type, video_parameters
from recorder.errors import CameraError, ErrorCode
from recorder.samples import VideoParameters

from .rtp import ReceiveClock, TimestampUnwrapper

MAX_UNIT_BYTES = 16 * 1024 * 1024
"""Of one access unit; an 8K intra frame at its best is 4 MB."""

MAX_UNIT_NALS = 1024
MAX_SETS = 64
"""Parameter sets in one access unit that are looked at."""


class NalDepacketizer:
    """Base of the two; see the module's text. Calls `deliver(sample, timestamp, is_keyframe, arrived_ns)` and,
    before the keyframe that needs it, `announce(parameters)`.

    `parameters` are those that the SDP brought, if any; nothing is delivered before there are some. Raises
    `CameraError` (`bad_stream`) out of `feed` when a bound is passed."""

    codec = ""
    set_kinds: tuple[int, ...] = ()

    __slots__ = (
        "_announce", "_clock", "_deliver", "_peer", "_sets", "_sets_changed", "after_gap", "arrived_ns",
        "closed_timestamp", "fragment_at", "has_idr", "has_sets", "has_slice", "intra_start", "is_damaged",
        "is_key", "marker_lies", "marker_seen", "nals", "parameters", "time", "timestamp", "trusts_marker", "unit",
    )  # fmt: skip

    def __init__(
        self,
        peer: str,
        clock: ReceiveClock,
        deliver: Callable[[bytearray, int, bool, int], None],
        announce: Callable[[VideoParameters], None],
        parameters: VideoParameters | None = None,
    ) -> None:
        self._peer = peer
        self._clock = clock
        self._deliver = deliver
        self._announce = announce
        self.parameters = parameters
        self._sets: dict[int, tuple[bytes, ...]] = {}
        self._sets_changed = False
        if parameters is not None:
            self._note_sets(parameters.parameter_sets)
            self._sets_changed = False
        self.time = TimestampUnwrapper()
        self.timestamp = -1
        self.closed_timestamp = -1
        self.trusts_marker = False
        self.marker_lies = False
        self.has_idr = False
        self.after_gap = True
        self.arrived_ns = 0
        self.unit = bytearray()
        self._fresh()

    def _fresh(self) -> None:
        """State of an empty access unit; `unit` itself is the caller's business."""
        self.nals = 0
        self.fragment_at = -1
        self.is_damaged = self.is_key = self.has_slice = self.has_sets = self.intra_start = False
        self.marker_seen = False

    def feed(self, view: memoryview, start: int, stop: int, timestamp: int, marker: int) -> None:
        raise NotImplementedError

    def lost(self) -> None:
        if self.unit:
            self.is_damaged = True
            self.fragment_at = -1
        self.after_gap = True

    def restarted(self) -> None:
        self.unit = bytearray()
        self._fresh()
        self.timestamp = self.closed_timestamp = -1
        self.after_gap = True

    def next_unit(self, timestamp: int) -> None:
        """The timestamp has changed: finish what is open."""
        if self.is_damaged:
            self._drop()
        elif self.has_slice:
            if self.trusts_marker:
                self.trusts_marker = False  # it forgot one: learn anew
                self.arrived_ns = self._clock.now_ns
            elif self.marker_seen and not self.marker_lies:
                self.trusts_marker = True
            self._finish(self.arrived_ns)
        # Otherwise these are parameter sets or SEI under a timestamp of their own: they begin the next unit.
        self.timestamp = timestamp
        self.time.advance(timestamp)

    def marked(self) -> None:
        """The packet that was just fed carries the marker bit."""
        if self.is_damaged:
            self._drop()
        elif not self.has_slice:
            pass  # parameter sets sent with a marker: the picture is still to come
        elif self.trusts_marker:
            self._finish(self._clock.now_ns)
        else:
            self.marker_seen = True

    def begin_nal(self, is_slice: bool, is_first_slice: bool) -> bool:
        """Account for a NAL unit that starts; False when it must not be appended."""
        if self.fragment_at >= 0:
            self.end_fragment()  # a camera that forgets the end bit
        self.nals += 1
        if self.nals > MAX_UNIT_NALS:
            raise self.too_big()
        if is_slice:
            if not self.has_slice:
                if not is_first_slice:
                    if self.timestamp == self.closed_timestamp:
                        # The marker came before the last slice: from now on go by timestamps.
                        self.marker_lies, self.trusts_marker = True, False
                        self.is_damaged = True
                        return False
                    if self.after_gap:
                        self.is_damaged = True
                        return False
                self.has_slice = True
            elif self.marker_seen and not is_first_slice:
                self.marker_lies = True
        self.after_gap = False
        return True

    def end_fragment(self) -> None:
        """Write the length of the fragmented NAL unit that is open."""
        at = self.fragment_at
        self.unit[at : at + 4] = (len(self.unit) - at - 4).to_bytes(4, "big")
        self.fragment_at = -1

    def append_nal(self, view: memoryview, start: int, stop: int) -> None:
        unit = self.unit
        unit += (stop - start).to_bytes(4, "big")
        unit += view[start:stop]
        if len(unit) > MAX_UNIT_BYTES:
            raise self.too_big()

    def too_big(self) -> CameraError:
        self._drop()
        return CameraError(
            ErrorCode.BAD_STREAM,
            f"{self._peer} sends a picture of more than {MAX_UNIT_BYTES >> 20} MB or {MAX_UNIT_NALS} parts.",
        )

    def _drop(self) -> None:
        self.closed_timestamp = self.timestamp
        self.unit = bytearray()
        self._fresh()

    def _finish(self, arrived_ns: int) -> None:
        if self.fragment_at >= 0:
            self.end_fragment()
        unit = self.unit
        is_key = self.is_key
        if self.has_sets:
            self._collect_sets(unit)
            if not is_key and self.intra_start and not self.has_idr:
                is_key = True  # an open GOP camera: its intra pictures with parameter sets are all there is
        if is_key and self._sets_changed:
            self._apply_sets()
        self.closed_timestamp = self.timestamp
        self.unit = bytearray()
        self.nals = 0
        self.is_key = self.has_slice = self.has_sets = self.intra_start = self.marker_seen = False
        if self.parameters is not None:
            self._deliver(unit, self.time.value, is_key, arrived_ns)

    def _collect_sets(self, unit: bytearray) -> None:
        codec, kinds = self.codec, self.set_kinds
        sets = []
        for nal in iter_length_prefixed(unit):
            if len(nal) and nal_type(codec, nal) in kinds:
                sets.append(bytes(nal))
                if len(sets) == MAX_SETS:
                    break
        self._note_sets(sets)

    def _note_sets(self, sets) -> None:
        found: dict[int, tuple[bytes, ...]] = {}
        for nal in sets:
            kind = nal_type(self.codec, nal)
            if nal not in found.get(kind, ()):
                found[kind] = (*found.get(kind, ()), nal)
        for kind, nals in found.items():
            if self._sets.get(kind) != nals:
                self._sets[kind] = nals
                self._sets_changed = True

    def _apply_sets(self) -> None:
        self._sets_changed = False
        try:
            changed = video_parameters(self.codec, [nal for kind in self.set_kinds for nal in self._sets.get(kind, ())])
        except ValueError:
            return  # unusable sets: what we had stays in force, the picture goes on as it came
        if changed != self.parameters:
            self.parameters = changed
            self._announce(changed)

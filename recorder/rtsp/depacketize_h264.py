"""H.264 over RTP (RFC 6184): single NAL units, STAP-A and FU-A; the interleaved mode is not for cameras."""

from __future__ import annotations

from .nal_depacketizer import MAX_UNIT_BYTES, NalDepacketizer

_STAP_A, _FU_A = 24, 28
_FRAGMENT_HEADS = [bytes((0, 0, 0, 0, header)) for header in range(256)]
"""Room for the length, and the NAL header, of a fragmented NAL unit."""


def _is_intra(first: int) -> bool:
    """Whether a slice that begins with this byte is the picture's first and an I slice (types 2 and 7, H.264
    7.4.3: `1` for first_mb_in_slice 0, then `011` or `0001000`)."""
    return first & 0xF0 == 0xB0 or first == 0x88


class H264Depacketizer(NalDepacketizer):
    """See `NalDepacketizer`."""

    codec = "h264"
    set_kinds = (7, 8)
    __slots__ = ()

    def feed(self, view: memoryview, start: int, stop: int, timestamp: int, marker: int) -> None:
        # Nine of ten packets: the middle of a NAL unit whose beginning is there.
        if (
            self.fragment_at >= 0
            and timestamp == self.timestamp
            and view[start] & 0x1F == _FU_A
            and view[start + 1] < 0x40
            and not marker
            and self.trusts_marker
        ):
            unit = self.unit
            unit += view[start + 2 : stop]
            if len(unit) > MAX_UNIT_BYTES:
                raise self.too_big()
            return
        if timestamp != self.timestamp:
            self.next_unit(timestamp)
        if not self.is_damaged:
            head = view[start]
            kind = head & 0x1F
            if kind == _FU_A:
                if stop - start > 2:
                    self._fragment(view, start, stop, head)
            elif kind == _STAP_A:
                self._aggregate(view, start + 1, stop)
            elif 0 < kind < 24 and self._begin(kind, view[start + 1] if stop - start > 1 else 0):
                self.append_nal(view, start, stop)
        if not self.trusts_marker:
            self.arrived_ns = self._clock.now_ns
        if marker:
            self.marked()

    def _fragment(self, view: memoryview, start: int, stop: int, head: int) -> None:
        unit = self.unit
        flags = view[start + 1]
        if flags & 0x80:
            header = head & 0xE0 | flags & 0x1F
            if not self._begin(header & 0x1F, view[start + 2]):
                return
            self.fragment_at = len(unit)
            unit += _FRAGMENT_HEADS[header]
        elif self.fragment_at < 0:
            self.is_damaged = True  # its start never came
            return
        unit += view[start + 2 : stop]
        if flags & 0x40:
            self.end_fragment()
        if len(unit) > MAX_UNIT_BYTES:
            raise self.too_big()

    def _aggregate(self, view: memoryview, start: int, stop: int) -> None:
        while start < stop:
            begin = start + 2
            if begin > stop:
                self.is_damaged = True
                return
            start = begin + (view[begin - 2] << 8 | view[begin - 1])
            if start > stop or start == begin:
                self.is_damaged = True
                return
            if not self._begin(view[begin] & 0x1F, view[begin + 1] if start - begin > 1 else 0):
                return
            self.append_nal(view, begin, start)

    def _begin(self, kind: int, first: int) -> bool:
        """`first` is the byte behind the NAL header: its top bit says first_mb_in_slice == 0."""
        if kind > 5:
            if kind == 7 or kind == 8:
                self.has_sets = True
            return self.begin_nal(False, False)
        if kind == 5:
            self.is_key = self.has_idr = True
        elif _is_intra(first):
            self.intra_start = True
        return self.begin_nal(True, first >= 0x80)

"""H.265 over RTP (RFC 7798): single NAL units, aggregation and fragmentation units, without DONL fields."""

from __future__ import annotations

from .nal_depacketizer import MAX_UNIT_BYTES, NalDepacketizer

_AGGREGATION, _FRAGMENTATION = 48, 49
_FRAGMENT_BITS = _FRAGMENTATION << 1


class H265Depacketizer(NalDepacketizer):
    """See `NalDepacketizer`."""

    codec = "h265"
    set_kinds = (32, 33, 34)
    __slots__ = ()

    def feed(self, view: memoryview, start: int, stop: int, timestamp: int, marker: int) -> None:
        # Nine of ten packets: the middle of a NAL unit whose beginning is there.
        if (
            self.fragment_at >= 0
            and timestamp == self.timestamp
            and view[start] & 0x7E == _FRAGMENT_BITS
            and view[start + 2] < 0x40
            and not marker
            and self.trusts_marker
        ):
            unit = self.unit
            unit += view[start + 3 : stop]
            if len(unit) > MAX_UNIT_BYTES:
                raise self.too_big()
            return
        if timestamp != self.timestamp:
            self.next_unit(timestamp)
        if not self.is_damaged and stop - start > 2:
            head = view[start]
            kind = head >> 1 & 0x3F
            if kind == _FRAGMENTATION:
                if stop - start > 3:
                    self._fragment(view, start, stop, head)
            elif kind == _AGGREGATION:
                self._aggregate(view, start + 2, stop)
            elif kind < _AGGREGATION and self._begin(kind, view[start + 2]):
                self.append_nal(view, start, stop)
        if not self.trusts_marker:
            self.arrived_ns = self._clock.now_ns
        if marker:
            self.marked()

    def _fragment(self, view: memoryview, start: int, stop: int, head: int) -> None:
        unit = self.unit
        flags = view[start + 2]
        if flags & 0x80:
            kind = flags & 0x3F
            if not self._begin(kind, view[start + 3]):
                return
            self.fragment_at = len(unit)
            unit += bytes((0, 0, 0, 0, head & 0x81 | kind << 1, view[start + 1]))
        elif self.fragment_at < 0:
            self.is_damaged = True  # its start never came
            return
        unit += view[start + 3 : stop]
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
            if start > stop or start - begin < 2:
                self.is_damaged = True
                return
            kind = view[begin] >> 1 & 0x3F
            if not self._begin(kind, view[begin + 2] if start - begin > 2 else 0):
                return
            self.append_nal(view, begin, start)

    def _begin(self, kind: int, first: int) -> bool:
        """`first` is the byte behind the NAL header: its top bit is first_slice_segment_in_pic_flag."""
        if kind >= 32:
            if kind <= 34:
                self.has_sets = True
            return self.begin_nal(False, False)
        if 16 <= kind <= 23:
            self.is_key = True
        return self.begin_nal(True, first >= 0x80)

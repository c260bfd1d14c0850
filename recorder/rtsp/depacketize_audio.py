"""Audio over RTP: AAC (RFC 3640, the hbr and lbr modes) and G.711 (RFC 3551), to samples of whole access units.

Calls `deliver(sample, timestamp, duration, arrived_ns)`; times in ticks of the track's sample rate. A gap costs the
access unit that was cut by it, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

from recorder.codecs import aac_parameters, parse_aac_config
from recorder.samples import AudioParameters

from .rtp import ReceiveClock, TimestampUnwrapper
from .sdp import Track

MAX_UNITS_PER_PACKET = 64

Deliver = Callable[[bytes | bytearray, int, int, int], None]


class UnsupportedAudio(ValueError):
    """The track's parameters name something that we don't read; the text says what."""


def audio_parameters(track: Track) -> AudioParameters:
    """What the SDP says about the track. Raises `UnsupportedAudio`."""
    if track.codec in ("pcmu", "pcma"):
        return AudioParameters(track.codec, track.clock_hz, track.channels)
    if track.codec != "aac":
        raise UnsupportedAudio(track.encoding)
    try:
        parameters = aac_parameters(bytes.fromhex(track.format.get("config", "")))
        _AacFormat(track)
    except ValueError as err:
        raise UnsupportedAudio(f"{track.encoding} without a usable config") from err
    return parameters


class G711Depacketizer:
    """A sample is what one packet holds."""

    __slots__ = ("_channels", "_clock", "_deliver", "time")

    def __init__(self, track: Track, clock: ReceiveClock, deliver: Deliver) -> None:
        self._channels = track.channels
        self._clock = clock
        self._deliver = deliver
        self.time = TimestampUnwrapper()

    def feed(self, view: memoryview, start: int, stop: int, timestamp: int, marker: int) -> None:
        duration = (stop - start) // self._channels
        if duration:
            time = self.time.advance(timestamp)
            self._deliver(bytes(view[start:stop]), time, duration, self._clock.now_ns)

    def lost(self) -> None: ...

    def restarted(self) -> None: ...


class _AacFormat:
    """Layout of the AU header section (RFC 3640 section 3.2.1), from fmtp."""

    __slots__ = ("delta_bits", "index_bits", "size_bits")

    def __init__(self, track: Track) -> None:
        def number(name: str) -> int:
            text = track.format.get(name, "0")
            return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1

        has_none = not any(track.format.get(name) for name in ("sizelength", "indexlength", "constantsize"))
        is_hbr = track.format.get("mode", "").lower() != "aac-lbr"
        self.size_bits = (13 if is_hbr else 6) if has_none else number("sizelength")
        self.index_bits = (3 if is_hbr else 2) if has_none else number("indexlength")
        self.delta_bits = (3 if is_hbr else 2) if has_none else number("indexdeltalength")
        others = ("ctsdeltalength", "dtsdeltalength", "randomaccessindication", "streamstateindication",
                  "auxiliarydatasizelength", "constantsize")  # fmt: skip
        if not 1 <= self.size_bits <= 16 or any(number(name) for name in others):
            raise ValueError("an AU header layout that isn't of the AAC modes")
        if not 0 <= self.index_bits <= 16 or not 0 <= self.delta_bits <= 16:
            raise ValueError("an AU header layout out of bounds")


class AacDepacketizer:
    """RFC 3640: several access units in a packet, or one access unit over several packets."""

    __slots__ = ("_clock", "_deliver", "_format", "_partial", "_partial_size", "_partial_time", "_scale", "_ticks",
                 "time")  # fmt: skip

    def __init__(self, track: Track, clock: ReceiveClock, deliver: Deliver) -> None:
        config = parse_aac_config(bytes.fromhex(track.format["config"]))
        self._ticks = config.frame_ticks
        clock_hz = track.clock_hz or config.sample_rate_hz
        # HE-AAC: some cameras count RTP time in the core's rate, half of the rate that comes out.
        self._scale = None if clock_hz == config.sample_rate_hz else (config.sample_rate_hz, clock_hz)
        self._format = _AacFormat(track)
        self._clock = clock
        self._deliver = deliver
        self.time = TimestampUnwrapper()
        self._partial: bytearray | None = None
        self._partial_size = self._partial_time = 0

    def feed(self, view: memoryview, start: int, stop: int, timestamp: int, marker: int) -> None:
        if stop - start < 4:
            return
        bits = view[start] << 8 | view[start + 1]
        start += 2
        at = start + (bits + 7) // 8
        if at >= stop:
            return
        sizes = self._sizes(view, start, at, bits)
        time = self.time.advance(timestamp)
        if self._scale:
            time = time * self._scale[0] // self._scale[1]
        if len(sizes) == 1 and sizes[0] > stop - at:
            self._fragment(view[at:stop], sizes[0], time)
            return
        if self._partial is not None and len(sizes) == 1 and self._partial_time == time:
            self._fragment(view[at:stop], self._partial_size, time)  # a last part that gives its own size
            return
        self._partial = None
        for size in sizes:
            if size > stop - at:
                return
            if size:
                self._deliver(bytes(view[at : at + size]), time, self._ticks, self._clock.now_ns)
            time += self._ticks
            at += size

    def _sizes(self, view: memoryview, start: int, stop: int, bits: int) -> list[int]:
        layout = self._format
        first, rest = layout.size_bits + layout.index_bits, layout.size_bits + layout.delta_bits
        headers = int.from_bytes(view[start:stop], "big") >> (-bits % 8)
        sizes: list[int] = []
        width = first
        while bits >= width and len(sizes) < MAX_UNITS_PER_PACKET:
            bits -= width
            header = headers >> bits & ((1 << width) - 1)
            sizes.append(header >> (width - layout.size_bits))
            width = rest
        return sizes

    def _fragment(self, piece: memoryview, size: int, time: int) -> None:
        if self._partial is None or time != self._partial_time or size != self._partial_size:
            self._partial, self._partial_size, self._partial_time = bytearray(), size, time
        self._partial += piece
        if len(self._partial) >= size:
            whole, self._partial = self._partial, None
            if len(whole) == size:
                self._deliver(whole, time, self._ticks, self._clock.now_ns)

    def lost(self) -> None:
        self._partial = None

    def restarted(self) -> None:
        self._partial = None

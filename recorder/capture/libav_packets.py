"""libav's packets as samples: Annex B to length-prefixed, ADTS to raw AAC with its config, MJPEG as it is.

Used only by `libav_child`. Timestamps become ticks of 90 kHz (video) or of the sample rate (audio).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from recorder.codecs import iter_length_prefixed, join_length_prefixed, nal_type, split_annexb
from recorder.samples import VIDEO_CLOCK_HZ

VIDEO_CODECS = {"h264": "h264", "hevc": "h265", "mjpeg": "mjpeg"}
AUDIO_CODECS = {"aac": "aac", "pcm_alaw": "pcma", "pcm_mulaw": "pcmu"}
PARAMETER_TYPES = {"h264": (7, 8), "h265": (32, 33, 34)}
KEYFRAME_TYPES = {"h264": (5,), "h265": tuple(range(16, 22))}
ADTS_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


class VideoReader:
    def __init__(self, codec: str, stream: Any) -> None:
        self.codec = codec
        self.is_keyframe = False
        self.parameter_sets: list[bytes] = []
        self._time_base = stream.time_base
        extradata = bytes(stream.codec_context.extradata or b"")
        self._length_size = 0
        if codec != "mjpeg" and extradata[:1] == b"\x01":
            self._length_size = (extradata[4 if codec == "h264" else 21] & 3) + 1
            self.parameter_sets = configuration_sets(codec, extradata)
        elif codec != "mjpeg" and extradata:
            self.parameter_sets = [
                nal for nal in split_annexb(extradata) if nal_type(codec, nal) in PARAMETER_TYPES[codec]
            ]

    @classmethod
    def of(cls, stream: Any) -> VideoReader | None:
        codec = VIDEO_CODECS.get(stream.codec_context.name)
        return cls(codec, stream) if codec else None

    @property
    def is_ready(self) -> bool:
        return self.codec == "mjpeg" or bool(self.parameter_sets)

    def facts(self) -> dict[str, Any]:
        return {"video_codec": self.codec, "parameter_sets": [nal.hex() for nal in self.parameter_sets]}

    def read(self, packet: Any) -> bytes | None:
        """The sample of a packet, None when there is nothing in it; notes keyframe and parameter sets."""
        coded = bytes(packet)
        if self.codec == "mjpeg":
            self.is_keyframe = True
            return coded
        if self._length_size == 4:
            nals: Sequence[bytes | memoryview] = list(iter_length_prefixed(coded))
            sample = coded
        else:
            nals = read_lengths(coded, self._length_size) if self._length_size else split_annexb(coded)
            sample = join_length_prefixed(nals)
        types = [nal_type(self.codec, nal) for nal in nals if nal]
        self.is_keyframe = any(kind in KEYFRAME_TYPES[self.codec] for kind in types)
        found = [bytes(nal) for nal in nals if nal and nal_type(self.codec, nal) in PARAMETER_TYPES[self.codec]]
        if self.is_keyframe and len({nal_type(self.codec, nal) for nal in found}) == len(PARAMETER_TYPES[self.codec]):
            self.parameter_sets = found
        return bytes(sample) if nals else None

    def timestamp(self, packet: Any) -> int:
        """Presentation time; MJPEG over HTTP has none, so the time of arrival stands in."""
        if self.codec == "mjpeg" or packet.pts is None:
            return time.monotonic_ns() * 9 // 100_000
        return int(packet.pts * self._time_base * VIDEO_CLOCK_HZ)


class AudioReader:
    def __init__(self, codec: str, stream: Any) -> None:
        self.codec = codec
        self._time_base = stream.time_base
        self.rate_hz = stream.codec_context.sample_rate
        self.channels = stream.codec_context.channels
        self.config = bytes(stream.codec_context.extradata or b"")

    @classmethod
    def of(cls, stream: Any) -> AudioReader | None:
        codec = AUDIO_CODECS.get(stream.codec_context.name)
        return cls(codec, stream) if codec else None

    @property
    def is_ready(self) -> bool:
        return self.codec != "aac" or bool(self.config)

    def facts(self) -> dict[str, Any]:
        if not self.is_ready:
            return {}
        return {
            "audio_codec": self.codec,
            "audio_config": self.config.hex(),
            "sample_rate_hz": self.rate_hz,
            "channels": self.channels,
        }

    def read(self, packet: Any) -> bytes | None:
        coded = bytes(packet)
        if self.codec == "aac" and len(coded) > 7 and coded[0] == 0xFF and coded[1] & 0xF6 == 0xF0:
            self.config = self.config or adts_config(coded)
            return coded[7 if coded[1] & 1 else 9 :]
        return coded

    def timestamp(self, packet: Any) -> int:
        pts = packet.pts if packet.pts is not None else 0
        return int(pts * self._time_base * self.rate_hz)

    def duration(self, unit: bytes) -> int:
        return 1024 if self.codec == "aac" else len(unit) // max(1, self.channels)


def adts_config(head: bytes) -> bytes:
    """AudioSpecificConfig of an ADTS header (ISO 13818-7 6.2)."""
    profile, rate = (head[2] >> 6) + 1, head[2] >> 2 & 15
    channels = (head[2] & 1) << 2 | head[3] >> 6
    return bytes([profile << 3 | rate >> 1, (rate & 1) << 7 | channels << 3])


def read_lengths(coded: bytes, size: int) -> list[bytes]:
    """NAL units behind lengths of `size` bytes; stops where a length passes the end."""
    nals, at = [], 0
    while at + size <= len(coded):
        length = int.from_bytes(coded[at : at + size], "big")
        if at + size + length > len(coded):
            break
        nals.append(coded[at + size : at + size + length])
        at += size + length
    return nals


def configuration_sets(codec: str, record: bytes) -> list[bytes]:
    """Parameter sets of an avcC or hvcC record (ISO 14496-15 5.3.3.1, 8.3.3.1); short of what is cut off."""
    sets: list[bytes] = []

    def take(at: int) -> int:
        length = int.from_bytes(record[at : at + 2], "big")
        if length and at + 2 + length <= len(record):
            sets.append(record[at + 2 : at + 2 + length])
        return at + 2 + length

    if codec == "h264":
        at = 6
        for _ in range(record[5] & 31 if len(record) > 5 else 0):
            at = take(at)
        for _ in range(record[at] if at < len(record) else 0):
            at = take(at + 1) - 1
        return sets
    at = 23
    for _ in range(record[22] if len(record) > 22 else 0):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(min(count, 64)):
            at = take(at)
    return sets

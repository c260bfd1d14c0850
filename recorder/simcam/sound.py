"""The sound of a generated clip: a quiet hum with a soft bell every second, so that sync is heard and
loops aren't.

Made when the simulator starts (tens of milliseconds), as AAC at 16 kHz or G.711 at 8 kHz. Lengths of
whole seconds divisible by 8 hold a whole number of AAC units, so that sound and picture loop together
exactly.
"""

from __future__ import annotations

from functools import lru_cache

import av
import numpy as np

from .clip import AudioTrack

AAC_RATE_HZ = 16_000
G711_RATE_HZ = 8_000
_AAC_UNIT_TICKS = 1024
_G711_UNIT_TICKS = 160


@lru_cache(maxsize=4)
def make_sound(kind: str, length_s: float) -> AudioTrack | None:
    """`kind` is `aac`, `g711` (mu-law), `pcmu`, `pcma` or `none`."""
    if kind == "none":
        return None
    if kind == "aac":
        return _make_aac(length_s)
    codec = "pcmu" if kind in ("g711", "pcmu") else "pcma"
    return _make_g711(codec, length_s)


def _wave(rate_hz: int, length_s: float) -> np.ndarray:
    t = np.arange(round(rate_hz * length_s)) / rate_hz
    hum = 0.03 * np.sin(2 * np.pi * 100 * t) + 0.015 * np.sin(2 * np.pi * 150 * t)
    second = t % 1.0
    bell = 0.12 * np.exp(-9 * second) * np.sin(2 * np.pi * 880 * second)
    return ((hum + bell) * 32767).astype(np.int16)


def _make_aac(length_s: float) -> AudioTrack:
    wave = _wave(AAC_RATE_HZ, length_s)
    context = av.CodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format, context.bit_rate = (
        AAC_RATE_HZ,
        "mono",
        "fltp",
        48_000,
    )
    context.flags |= 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: AudioSpecificConfig in extradata
    padded = np.concatenate([wave, wave[: 2 * _AAC_UNIT_TICKS]]).astype(np.float32) / 32768
    packets = []
    for at in range(0, len(padded) - _AAC_UNIT_TICKS + 1, _AAC_UNIT_TICKS):
        frame = av.AudioFrame.from_ndarray(padded[None, at : at + _AAC_UNIT_TICKS].copy(), "fltp", "mono")
        frame.sample_rate, frame.pts = AAC_RATE_HZ, at
        packets += context.encode(frame)
    packets += context.encode(None)
    count = len(wave) // _AAC_UNIT_TICKS
    units = tuple(bytes(packet) for packet in packets[1 : count + 1])  # the first is the encoder's priming
    return AudioTrack("aac", AAC_RATE_HZ, 1, units, _AAC_UNIT_TICKS, bytes(context.extradata or b""))


def _make_g711(codec: str, length_s: float) -> AudioTrack:
    context = av.CodecContext.create("pcm_mulaw" if codec == "pcmu" else "pcm_alaw", "w")
    context.sample_rate, context.layout, context.format = G711_RATE_HZ, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(_wave(G711_RATE_HZ, length_s)[None, :], "s16", "mono")
    frame.sample_rate, frame.pts = G711_RATE_HZ, 0
    sound = b"".join(bytes(packet) for packet in context.encode(frame))
    units = tuple(sound[at : at + _G711_UNIT_TICKS] for at in range(0, len(sound), _G711_UNIT_TICKS))
    return AudioTrack(codec, G711_RATE_HZ, 1, units, _G711_UNIT_TICKS)

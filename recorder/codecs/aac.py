"""AudioSpecificConfig of AAC (ISO 14496-3, 1.6.2.1), with both ways to announce SBR and PS.

The rate that counts is the one a decoder puts out: with explicit SBR that is the extension's. It is also the
track's clock, so one access unit lasts `frame_ticks` of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .bits import BitReader

SAMPLE_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""By samplingFrequencyIndex (table 1.18)."""

MAX_CONFIG_BYTES = 256
_CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 13: 24, 14: 8}
_SBR, _PS, _ER_BSAC = 5, 29, 22
_GENERAL_AUDIO = frozenset((1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23))


@dataclass(frozen=True, slots=True)
class AacConfig:
    object_type: int
    """As announced: 2 for LC, 5 for HE-AAC, 29 for HE-AAC v2."""
    core_rate_hz: int
    sample_rate_hz: int
    channels: int
    frame_ticks: int
    """Ticks of `sample_rate_hz` an access unit lasts: 1024 or 960, twice that with SBR."""

    @property
    def rfc6381(self) -> str:
        return f"mp4a.40.{self.object_type}"


def parse_aac_config(config: bytes) -> AacConfig:
    """Raises `ValueError` for what isn't an AudioSpecificConfig of an AAC decoder."""
    if not 2 <= len(config) <= MAX_CONFIG_BYTES:
        raise ValueError("an AudioSpecificConfig has 2 to 256 bytes")
    bits = BitReader(bytes(config))
    announced = core_type = _object_type(bits)
    core_rate = rate = _rate(bits)
    channel_field = bits.u(4)
    if announced in (_SBR, _PS):
        rate = _rate(bits)
        core_type = _object_type(bits)
        if core_type == _ER_BSAC:
            bits.skip(4)
    if core_type not in _GENERAL_AUDIO:
        raise ValueError(f"MPEG-4 audio object type {core_type} isn't AAC")
    frame_samples, channels = _general_audio(bits, core_type, channel_field)
    has_ps = announced == _PS
    if announced not in (_SBR, _PS):
        rate, has_ps = _sync_extension(bits, rate)
    if has_ps and channels == 1:
        channels = 2
    if not 1_000 <= core_rate <= 384_000 or not 1_000 <= rate <= 384_000:
        raise ValueError("no usable sample rate")
    return AacConfig(announced, core_rate, rate, channels, frame_samples * rate // core_rate)


def _object_type(bits: BitReader) -> int:
    kind = bits.u(5)
    return 32 + bits.u(6) if kind == 31 else kind


def _rate(bits: BitReader) -> int:
    index = bits.u(4)
    if index == 15:
        return bits.u(24)
    if index >= len(SAMPLE_RATES_HZ):
        raise ValueError("a reserved sample rate")
    return SAMPLE_RATES_HZ[index]


def _general_audio(bits: BitReader, object_type: int, channel_field: int) -> tuple[int, int]:
    """GASpecificConfig (4.4.1): samples a frame, and channels."""
    is_short = bits.flag()
    if bits.flag():
        bits.skip(14)  # coreCoderDelay
    has_extension = bits.flag()
    if channel_field:
        channels = _CHANNELS.get(channel_field)
        if channels is None:
            raise ValueError("a reserved channel configuration")
    else:
        channels = _program_config_channels(bits)
    if object_type in (6, 20):
        bits.skip(3)  # layerNr
    if has_extension:
        if object_type == _ER_BSAC:
            bits.skip(16)
        elif object_type in (17, 19, 20, 23):
            bits.skip(3)
        bits.skip(1)
    if object_type == 23:  # ER AAC LD
        return (480 if is_short else 512), channels
    return (960 if is_short else 1024), channels


def _program_config_channels(bits: BitReader) -> int:
    """program_config_element (4.4.1.1): each front, side or back element has one or two channels."""
    bits.skip(4 + 2 + 4)
    counts = bits.u(4), bits.u(4), bits.u(4)
    lfe, associated, coupling = bits.u(2), bits.u(3), bits.u(4)
    for width in (4, 4, 3):  # mono mixdown, stereo mixdown, matrix mixdown
        if bits.flag():
            bits.skip(width)
    channels = lfe
    for _ in range(sum(counts)):
        channels += 1 + bits.u(1)
        bits.skip(4)
    bits.skip(4 * lfe + 4 * associated + 5 * coupling)
    bits.skip(bits.bits_left % 8)  # byte_alignment, relative to the start of the config
    bits.skip(8 * bits.u(8))
    if not channels:
        raise ValueError("no channels")
    return channels


def _sync_extension(bits: BitReader, rate: int) -> tuple[int, bool]:
    """Backward compatible announcement of SBR and PS behind the core's config (1.6.6.2)."""
    try:
        if bits.bits_left < 16 or bits.u(11) != 0x2B7 or _object_type(bits) != _SBR or not bits.flag():
            return rate, False
        rate = _rate(bits)
        has_ps = bits.bits_left >= 12 and bits.u(11) == 0x548 and bits.flag()
    except ValueError:
        return rate, False
    return rate, has_ps

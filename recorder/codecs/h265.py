"""H.265 video and sequence parameter sets (ITU-T H.265 7.3.2.1, 7.3.2.2, E.2.1).

Size after the conformance window, bit depth, reordering, frame rate, and the facts `hvcC` and the codec
string need (ISO 14496-15 8.3.3.1 and E.3). As with H.264 only `ValueError` comes out, and a broken tail (VUI)
is left out instead of refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from .bits import MAX_PARAMETER_SET_BYTES, BitReader, unescape
from .h264 import MAX_SIDE_PX, plausible_rate

_EXTENDED_SAR = 255


@dataclass(frozen=True, slots=True)
class ProfileTierLevel:
    """general_* of profile_tier_level() (7.3.3)."""

    space: int
    is_high_tier: bool
    profile: int
    compatibility: int
    """32 flags, the first in the most significant bit."""
    constraints: bytes
    """The 48 bits from general_progressive_source_flag on."""
    level: int

    @property
    def rfc6381(self) -> str:
        """ISO 14496-15 E.3."""
        reversed_flags = int(f"{self.compatibility:032b}"[::-1], 2)
        space = ("", "A", "B", "C")[self.space]
        parts = [
            f"hvc1.{space}{self.profile}",
            f"{reversed_flags:X}",
            f"{'H' if self.is_high_tier else 'L'}{self.level}",
        ]
        parts += [f"{byte:X}" for byte in self.constraints.rstrip(b"\0")]
        return ".".join(parts)


@dataclass(frozen=True, slots=True)
class H265Sps:
    general: ProfileTierLevel
    sub_layers: int
    is_temporal_nested: bool
    chroma_format: int
    luma_bits: int
    chroma_bits: int
    width_px: int
    height_px: int
    """Both inside the conformance window."""
    reorder_depth: int
    """sps_max_num_reorder_pics of the highest sub-layer."""
    frame_rate: float | None


def parse_h265_sps(nal: bytes) -> H265Sps:
    """One SPS NAL unit with its two header bytes. Raises `ValueError`."""
    bits = _open(nal, 33)
    bits.skip(4)  # sps_video_parameter_set_id
    sub_layers = bits.u(3) + 1
    if sub_layers > 7:
        raise ValueError("more than 7 sub-layers")
    is_nested = bits.flag()
    general = _profile_tier_level(bits, sub_layers)
    bits.ue(15)  # sps_seq_parameter_set_id
    chroma_format = bits.ue(3)
    separate_planes = chroma_format == 3 and bits.flag()
    width_px, height_px = bits.ue(MAX_SIDE_PX), bits.ue(MAX_SIDE_PX)
    if bits.flag():  # conformance_window_flag
        limit = MAX_SIDE_PX
        left, right, top, bottom = bits.ue(limit), bits.ue(limit), bits.ue(limit), bits.ue(limit)
        array_type = 0 if separate_planes else chroma_format
        width_px -= (2 if array_type in (1, 2) else 1) * (left + right)
        height_px -= (2 if array_type == 1 else 1) * (top + bottom)
    if width_px <= 0 or height_px <= 0:
        raise ValueError("the conformance window leaves no picture")
    luma_bits, chroma_bits = 8 + bits.ue(8), 8 + bits.ue(8)
    order_bits = bits.ue(12) + 4
    reorder_depth = _highest_reorder_depth(bits, sub_layers)
    try:
        frame_rate = _sps_frame_rate(bits, order_bits, chroma_format)
    except ValueError:
        frame_rate = None
    return H265Sps(
        general,
        sub_layers,
        is_nested,
        chroma_format,
        luma_bits,
        chroma_bits,
        width_px,
        height_px,
        reorder_depth,
        frame_rate,
    )


def parse_h265_vps_rate(nal: bytes) -> float | None:
    """The frame rate of a VPS, if it names one. Raises `ValueError` for what is no VPS."""
    bits = _open(nal, 32)
    bits.skip(4 + 2 + 6)
    sub_layers = bits.u(3) + 1
    bits.skip(1 + 16)
    try:
        _profile_tier_level(bits, min(sub_layers, 7))
        _highest_reorder_depth(bits, sub_layers)
        layer_ids = bits.u(6) + 1
        bits.skip(layer_ids * bits.ue(1023))
        if not bits.flag():
            return None
        ticks, scale = bits.u(32), bits.u(32)
    except ValueError:
        return None
    return plausible_rate(scale, ticks)


def _open(nal: bytes, kind: int) -> BitReader:
    if not 4 <= len(nal) <= MAX_PARAMETER_SET_BYTES or (nal[0] >> 1) & 0x3F != kind:
        raise ValueError(f"not an H.265 NAL unit of type {kind}")
    return BitReader(unescape(nal)[2:])


def _profile_tier_level(bits: BitReader, sub_layers: int) -> ProfileTierLevel:
    space, is_high, profile = bits.u(2), bits.flag(), bits.u(5)
    compatibility, constraints, level = bits.u(32), bits.u(48).to_bytes(6, "big"), bits.u(8)
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers - 1)]
    if sub_layers > 1:
        bits.skip(2 * (9 - sub_layers))
    for has_profile, has_level in present:
        bits.skip(88 * has_profile + 8 * has_level)
    return ProfileTierLevel(space, is_high, profile, compatibility, constraints, level)


def _highest_reorder_depth(bits: BitReader, sub_layers: int) -> int:
    depth = 0
    for _ in range(sub_layers if bits.flag() else 1):
        bits.ue(16)  # max_dec_pic_buffering_minus1
        depth = bits.ue(16)
        bits.ue()  # max_latency_increase_plus1
    return depth


def _sps_frame_rate(bits: BitReader, order_bits: int, chroma_format: int) -> float | None:
    for _ in range(6):
        bits.ue(16)  # block and transform sizes and depths
    if bits.flag() and bits.flag():  # scaling_list_enabled_flag, sps_scaling_list_data_present_flag
        _skip_scaling_lists(bits)
    bits.skip(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag():  # pcm_enabled_flag
        bits.skip(8)
        bits.ue(16)
        bits.ue(16)
        bits.skip(1)
    _skip_short_term_sets(bits, bits.ue(64))
    if bits.flag():  # long_term_ref_pics_present_flag
        bits.skip(bits.ue(32) * (order_bits + 1))
    bits.skip(2)
    return _vui_frame_rate(bits) if bits.flag() else None


def _skip_scaling_lists(bits: BitReader) -> None:
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.ue(64)
                continue
            if size > 1:
                bits.se()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.se()


def _skip_short_term_sets(bits: BitReader, count: int) -> None:
    """st_ref_pic_set() (7.3.7, 7.4.8): a set may be coded as a change of the one before; how long that is
    depends on the pictures it held."""
    pictures: list[int] = []
    for index in range(count):
        if index and bits.flag():
            sign = -1 if bits.flag() else 1
            shift = sign * (bits.ue(0x7FFF) + 1)
            # A picture stays if its used flag is set, or use_delta_flag, which follows a used flag of 0.
            pictures = [delta + shift for delta in (*pictures, 0) if bits.flag() or bits.flag()]
            negative = sorted((delta for delta in pictures if delta < 0), reverse=True)
            pictures = negative + sorted(delta for delta in pictures if delta > 0)
        else:
            counts = bits.ue(16), bits.ue(16)
            pictures = []
            for sign, held in zip((-1, 1), counts, strict=True):
                delta = 0
                for _ in range(held):
                    delta += sign * (bits.ue(0x7FFF) + 1)
                    bits.skip(1)
                    pictures.append(delta)
        if len(pictures) > 16:
            raise ValueError("a reference picture set of more than 16 pictures")


def _vui_frame_rate(bits: BitReader) -> float | None:
    if bits.flag() and bits.u(8) == _EXTENDED_SAR:
        bits.skip(32)
    if bits.flag():
        bits.skip(1)  # overscan_appropriate_flag
    if bits.flag():
        bits.skip(4)
        if bits.flag():
            bits.skip(24)
    if bits.flag():
        bits.ue(5)
        bits.ue(5)
    bits.skip(3)  # neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if bits.flag():  # default_display_window_flag
        for _ in range(4):
            bits.ue(MAX_SIDE_PX)
    if not bits.flag():
        return None
    ticks, scale = bits.u(32), bits.u(32)
    return plausible_rate(scale, ticks)

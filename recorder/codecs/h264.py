"""H.264 sequence parameter sets (ITU-T H.264 7.3.2.1.1, E.1.1): size, bit depth, frame rate, reordering.

Bytes of a camera come in, so every count is bounded and only `ValueError` comes out. A VUI that can't be read
is left out instead of refused: several cameras write broken ones and their pictures decode all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from .bits import MAX_PARAMETER_SET_BYTES, BitReader, unescape

MAX_SIDE_PX = 16_384
"""Wider than any level allows (H.264 table A-1); protects those who allocate by size."""

HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))
"""profile_idc with chroma format, bit depths and scaling lists in the SPS (7.3.2.1.1)."""

_EXTENDED_SAR = 255


@dataclass(frozen=True, slots=True)
class H264Sps:
    profile: int
    compatibility: int
    """The byte of constraint_set flags."""
    level: int
    chroma_format: int
    """0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4."""
    luma_bits: int
    chroma_bits: int
    width_px: int
    height_px: int
    """Both after cropping."""
    frame_rate: float | None
    reorder_depth: int
    """max_num_reorder_frames, 0 where the stream doesn't tell."""

    @property
    def rfc6381(self) -> str:
        return f"avc1.{self.profile:02X}{self.compatibility:02X}{self.level:02X}"


def parse_h264_sps(nal: bytes) -> H264Sps:
    """One SPS NAL unit with its header byte. Raises `ValueError`."""
    if not 4 <= len(nal) <= MAX_PARAMETER_SET_BYTES or nal[0] & 0x1F != 7:
        raise ValueError("not a sequence parameter set of H.264")
    bits = BitReader(unescape(nal)[1:])
    profile, compatibility, level = bits.u(8), bits.u(8), bits.u(8)
    bits.ue(31)  # seq_parameter_set_id
    chroma_format, luma_bits, chroma_bits = 1, 8, 8
    separate_planes = False
    if profile in HIGH_PROFILES:
        chroma_format = bits.ue(3)
        separate_planes = chroma_format == 3 and bits.flag()
        luma_bits, chroma_bits = 8 + bits.ue(6), 8 + bits.ue(6)
        bits.skip(1)  # qpprime_y_zero_transform_bypass_flag
        if bits.flag():
            _skip_scaling_lists(bits, 12 if chroma_format == 3 else 8)
    bits.ue(12)  # log2_max_frame_num_minus4
    order_type = bits.ue(2)
    if order_type == 0:
        bits.ue(12)  # log2_max_pic_order_cnt_lsb_minus4
    elif order_type == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue(255)):
            bits.se()
    bits.ue(16)  # max_num_ref_frames
    bits.skip(1)  # gaps_in_frame_num_value_allowed_flag
    width_mbs = bits.ue(MAX_SIDE_PX // 16 - 1) + 1
    height_units = bits.ue(MAX_SIDE_PX // 16 - 1) + 1
    fields_per_unit = 1 if bits.flag() else 2  # frame_mbs_only_flag
    if fields_per_unit == 2:
        bits.skip(1)  # mb_adaptive_frame_field_flag
    bits.skip(1)  # direct_8x8_inference_flag
    left = right = top = bottom = 0
    if bits.flag():
        limit = MAX_SIDE_PX
        left, right, top, bottom = bits.ue(limit), bits.ue(limit), bits.ue(limit), bits.ue(limit)
    chroma_array_type = 0 if separate_planes else chroma_format
    unit_x = 2 if chroma_array_type in (1, 2) else 1
    unit_y = (2 if chroma_array_type == 1 else 1) * fields_per_unit
    width_px = width_mbs * 16 - unit_x * (left + right)
    height_px = height_units * fields_per_unit * 16 - unit_y * (top + bottom)
    if not (0 < width_px <= MAX_SIDE_PX and 0 < height_px <= MAX_SIDE_PX):
        raise ValueError("the cropping leaves no picture")
    frame_rate, reorder_depth = _vui_facts(bits)
    if order_type == 2:
        reorder_depth = 0  # output order is decoding order (8.2.1.3)
    return H264Sps(
        profile,
        compatibility,
        level,
        chroma_format,
        luma_bits,
        chroma_bits,
        width_px,
        height_px,
        frame_rate,
        reorder_depth,
    )


def _skip_scaling_lists(bits: BitReader, count: int) -> None:
    for index in range(count):
        if not bits.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) & 0xFF
            last = following or last


def _vui_facts(bits: BitReader) -> tuple[float | None, int]:
    """Frame rate and reorder depth. Without bitstream_restriction the standard allows up to the whole picture
    buffer (E.2.1), yet most cameras that leave it out send no B-frames: 0, and whoever writes decode times
    adapts when a frame proves it wrong."""
    frame_rate: float | None = None
    try:
        if not bits.flag():
            return None, 0
        if bits.flag() and bits.u(8) == _EXTENDED_SAR:
            bits.skip(32)
        if bits.flag():
            bits.skip(1)  # overscan_appropriate_flag
        if bits.flag():
            bits.skip(4)  # video_format, video_full_range_flag
            if bits.flag():
                bits.skip(24)
        if bits.flag():
            bits.ue(5)  # chroma sample location, top and bottom field
            bits.ue(5)
        if bits.flag():
            ticks, scale = bits.u(32), bits.u(32)
            bits.skip(1)  # fixed_frame_rate_flag
            frame_rate = plausible_rate(scale, 2 * ticks)
        nal_hrd = bits.flag()
        if nal_hrd:
            _skip_hrd(bits)
        vcl_hrd = bits.flag()
        if vcl_hrd:
            _skip_hrd(bits)
        if nal_hrd or vcl_hrd:
            bits.skip(1)  # low_delay_hrd_flag
        bits.skip(1)  # pic_struct_present_flag
        if not bits.flag():
            return frame_rate, 0
        bits.skip(1)  # motion_vectors_over_pic_boundaries_flag
        for _ in range(4):
            bits.ue(32)
        return frame_rate, bits.ue(16)
    except ValueError:
        return frame_rate, 0


def _skip_hrd(bits: BitReader) -> None:
    count = bits.ue(31) + 1
    bits.skip(8)
    for _ in range(count):
        bits.ue()
        bits.ue()
        bits.skip(1)
    bits.skip(20)


def plausible_rate(numerator: int, denominator: int) -> float | None:
    """Frames per second, or None for what no camera does (0, more than 1000)."""
    if not numerator or not denominator:
        return None
    rate = numerator / denominator
    return rate if 0.01 <= rate <= 1000 else None

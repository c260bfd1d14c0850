"""From a camera's parameter sets to `VideoParameters` and `AudioParameters`, called by every source."""

from __future__ import annotations

from collections.abc import Sequence

from recorder.samples import AudioParameters, VideoParameters

from .aac import parse_aac_config
from .h264 import parse_h264_sps
from .h265 import parse_h265_sps, parse_h265_vps_rate
from .jpeg import jpeg_size_px
from .nal import H264_PPS, H264_SPS, H265_PPS, H265_SPS, H265_VPS, nal_type

MAX_PARAMETER_SETS = 64
"""Of all kinds together. avcC has room for 31 SPS and 255 PPS; cameras send 2 to 4."""

MAX_PARAMETER_SET_LENGTH = 0xFFFF
"""avcC and hvcC give each set a 16-bit length."""


def video_parameters(codec: str, parameter_sets: Sequence[bytes]) -> VideoParameters:
    """What the sets of one track say; `codec` is `h264` or `h265`, the sets are NAL units without start code.

    They may come in any order, repeated, or mixed with other NAL units: the result holds each once, (VPS,)
    SPS, PPS. Raises `ValueError` where a needed kind is missing or can't be understood."""
    if codec == "h264":
        spss, ppss = _by_kind(codec, parameter_sets, (H264_SPS, H264_PPS))
        sps = parse_h264_sps(spss[0])
        return VideoParameters(
            codec, sps.width_px, sps.height_px, (*spss, *ppss), sps.rfc6381, sps.reorder_depth, sps.frame_rate
        )
    if codec == "h265":
        vpss, spss, ppss = _by_kind(codec, parameter_sets, (H265_VPS, H265_SPS, H265_PPS))
        hevc = parse_h265_sps(spss[0])
        rate = hevc.frame_rate or parse_h265_vps_rate(vpss[0])
        return VideoParameters(
            codec,
            hevc.width_px,
            hevc.height_px,
            (*vpss, *spss, *ppss),
            hevc.general.rfc6381,
            hevc.reorder_depth,
            rate,
        )
    raise ValueError(f"{codec} has no parameter sets")


def mjpeg_parameters(image: bytes | bytearray) -> VideoParameters:
    """From any image of the stream. Raises `ValueError`."""
    width_px, height_px = jpeg_size_px(image)
    return VideoParameters("mjpeg", width_px, height_px, (), "mp4v.6C")


def aac_parameters(config: bytes) -> AudioParameters:
    """From an AudioSpecificConfig; the sample rate is the decoder's output rate. Raises `ValueError`."""
    aac = parse_aac_config(config)
    return AudioParameters("aac", aac.sample_rate_hz, aac.channels, bytes(config), aac.rfc6381)


def _by_kind(codec: str, parameter_sets: Sequence[bytes], kinds: tuple[int, ...]) -> list[list[bytes]]:
    if len(parameter_sets) > MAX_PARAMETER_SETS:
        raise ValueError(f"{len(parameter_sets)} parameter sets")
    found: dict[int, dict[bytes, None]] = {kind: {} for kind in kinds}
    for nal in parameter_sets:
        if not nal or len(nal) > MAX_PARAMETER_SET_LENGTH:
            continue
        kind = nal_type(codec, nal)
        if kind in found:
            found[kind][bytes(nal)] = None
    if not all(found.values()):
        raise ValueError(f"{codec} needs one parameter set of each of the types {', '.join(map(str, kinds))}")
    return [list(found[kind]) for kind in kinds]

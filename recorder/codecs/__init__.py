"""What the bytes of a coded stream say about it: parameter sets, audio configs, NAL framing. No Django.

Pure functions over hostile input: `ValueError` is the only exception, and work is linear in the input.
"""

from .aac import AacConfig, parse_aac_config
from .h264 import H264Sps, parse_h264_sps
from .h265 import H265Sps, ProfileTierLevel, parse_h265_sps
from .jpeg import jpeg_size_px
from .nal import is_keyframe_nal, iter_length_prefixed, join_length_prefixed, nal_type, split_annexb
from .parameters import aac_parameters, mjpeg_parameters, video_parameters

__all__ = [
    "AacConfig",
    "H264Sps",
    "H265Sps",
    "ProfileTierLevel",
    "aac_parameters",
    "is_keyframe_nal",
    "iter_length_prefixed",
    "join_length_prefixed",
    "jpeg_size_px",
    "mjpeg_parameters",
    "nal_type",
    "parse_aac_config",
    "parse_h264_sps",
    "parse_h265_sps",
    "split_annexb",
    "video_parameters",
]

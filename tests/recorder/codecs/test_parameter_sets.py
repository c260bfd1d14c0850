"""What the parsers say of sets that real encoders wrote, compared with what went in and with a decoder."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from recorder.codecs import (
    join_length_prefixed,
    jpeg_size_px,
    nal_type,
    parse_h264_sps,
    parse_h265_sps,
    split_annexb,
    video_parameters,
)


def encode(name: str, width: int, height: int, pixel_format: str, options: dict[str, str], rate: int = 15) -> bytes:
    context = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base, context.framerate = Fraction(1, rate), Fraction(rate)
    context.thread_count = 1
    context.options = options
    out = b""
    for number in range(6):
        picture = av.VideoFrame(width, height, pixel_format)
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts = number
        out += b"".join(bytes(packet) for packet in context.encode(picture))
    return out + b"".join(bytes(packet) for packet in context.encode(None))


def decoded_size(codec: str, stream: bytes) -> tuple[int, int, str]:
    decoder = av.CodecContext.create({"h264": "h264", "h265": "hevc"}[codec], "r")
    for packet in [*decoder.parse(stream), *decoder.parse(b"")]:
        for frame in decoder.decode(packet):
            return frame.width, frame.height, frame.format.name
    frame = decoder.decode(None)[0]
    return frame.width, frame.height, frame.format.name


SHAPES = [
    (1920, 1080, "yuv420p"),
    (642, 362, "yuv420p"),
    (333, 211, "yuv444p"),
    (322, 182, "yuv422p"),
    (320, 180, "yuv420p10le"),
    (320, 176, "gray"),
]


@pytest.mark.parametrize(("width", "height", "pixel_format"), SHAPES)
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_size_after_cropping_and_bit_depth_equal_the_decoders(codec, width, height, pixel_format):
    options = (
        {"preset": "ultrafast"} if codec == "h264" else {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}
    )
    stream = encode({"h264": "libx264", "h265": "libx265"}[codec], width, height, pixel_format, options)
    nals = split_annexb(stream)
    video = video_parameters(codec, nals)
    assert (video.width_px, video.height_px, pixel_format) == (width, height, pixel_format)
    assert decoded_size(codec, stream)[:2] == (video.width_px, video.height_px)
    assert video.frame_rate == 15
    parse = {"h264": parse_h264_sps, "h265": parse_h265_sps}[codec]
    sps = next(nal for nal in nals if nal_type(codec, nal) == {"h264": 7, "h265": 33}[codec])
    facts = parse(sps)
    assert facts.luma_bits == (10 if "10" in pixel_format else 8)
    assert facts.chroma_format == {"gray": 0, "yuv422p": 2, "yuv444p": 3}.get(pixel_format, 1)


@pytest.mark.parametrize("b_frames", [0, 1, 3])
def test_h264_reorder_depth_follows_the_b_frames(b_frames):
    options = {"bf": str(b_frames), "x264-params": "b-pyramid=none"}
    nals = split_annexb(encode("libx264", 320, 180, "yuv420p", options))
    assert video_parameters("h264", nals).reorder_depth == min(b_frames, 1)


@pytest.mark.parametrize("b_frames", [0, 3])
def test_h265_reorder_depth_follows_the_b_frames(b_frames):
    tuning = f"log-level=none:pools=1:bframes={b_frames}:b-pyramid=0"
    nals = split_annexb(encode("libx265", 320, 180, "yuv420p", {"preset": "ultrafast", "x265-params": tuning}))
    assert video_parameters("h265", nals).reorder_depth == min(b_frames, 1)


def test_interlaced_pictures_count_both_fields():
    nals = split_annexb(encode("libx264", 1920, 1080, "yuv420p", {"x264-params": "tff=1", "preset": "ultrafast"}))
    video = video_parameters("h264", nals)
    assert (video.width_px, video.height_px) == (1920, 1080)


def test_custom_scaling_lists_and_long_reference_sets_are_passed():
    options = {"preset": "ultrafast", "x264-params": "cqm=jvt", "profile": "high"}
    assert video_parameters("h264", split_annexb(encode("libx264", 320, 180, "yuv420p", options))).frame_rate == 15
    tuning = "log-level=none:pools=1:scaling-list=default:ref=5:bframes=4"
    options = {"preset": "medium", "x265-params": tuning}
    assert video_parameters("h265", split_annexb(encode("libx265", 320, 180, "yuv420p", options))).frame_rate == 15


@pytest.mark.parametrize(
    ("codec", "options", "expected"),
    [
        ("h264", {"profile": "baseline", "level": "3.1"}, "avc1.42C01F"),
        ("h264", {"profile": "main", "level": "4.0", "preset": "medium"}, "avc1.4D4028"),
        ("h264", {"profile": "high", "level": "4.1", "preset": "medium"}, "avc1.640029"),
        ("h265", {"x265-params": "log-level=none:pools=1:level-idc=3.1"}, "hvc1.1.6.L93.90"),
    ],
)
def test_codec_strings_are_those_of_rfc6381(codec, options, expected):
    name = {"h264": "libx264", "h265": "libx265"}[codec]
    nals = split_annexb(encode(name, 640, 360, "yuv420p", {"preset": "ultrafast", **options}))
    assert video_parameters(codec, nals).rfc6381 == expected


def test_sets_come_out_in_order_once_each_whatever_way_they_came_in():
    nals = split_annexb(encode("libx265", 320, 180, "yuv420p", {"x265-params": "log-level=none:pools=1"}))
    sets = [nal for nal in nals if nal_type("h265", nal) in (32, 33, 34)][:3]
    video = video_parameters("h265", [*reversed(sets), nals[-1], *sets])
    assert [nal_type("h265", nal) for nal in video.parameter_sets] == [32, 33, 34]
    assert video == video_parameters("h265", sets)


@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg", "vp8"])
def test_missing_sets_are_refused(codec):
    with pytest.raises(ValueError):
        video_parameters(codec, [])


def test_broken_vui_leaves_size_and_no_rate():
    nals = split_annexb(encode("libx264", 642, 362, "yuv420p", {"preset": "ultrafast"}))
    sps = next(nal for nal in nals if nal_type("h264", nal) == 7)
    pps = next(nal for nal in nals if nal_type("h264", nal) == 8)
    video = video_parameters("h264", [sps[:-8], pps])
    assert (video.width_px, video.height_px, video.frame_rate) == (642, 362, None)


def test_jpeg_size_is_read_past_other_segments():
    image = encode("mjpeg", 322, 182, "yuvj420p", {})
    assert jpeg_size_px(image) == (322, 182)
    with_comment = image[:2] + b"\xff\xff\xfe\x00\x06abcd" + image[2:]
    assert jpeg_size_px(with_comment) == (322, 182)


def test_annexb_is_split_at_long_and_short_start_codes():
    stream = b"\xff\0\0\1\x67ab\0\0\0\1\x68c\0\0\0\0\1\0\0\1\x65d\0\0\3\1e"
    assert split_annexb(stream) == [b"\x67ab", b"\x68c", b"\x65d\0\0\3\1e"]
    assert split_annexb(b"") == split_annexb(b"\0\0") == []
    assert join_length_prefixed([b"ab", b"c"]) == b"\0\0\0\2ab\0\0\0\1c"

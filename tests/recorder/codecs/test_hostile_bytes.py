"""Random and damaged parameter sets raise `ValueError` or give plausible results; nothing else."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.codecs import (
    aac_parameters,
    iter_length_prefixed,
    jpeg_size_px,
    parse_h264_sps,
    parse_h265_sps,
    split_annexb,
    video_parameters,
)
from recorder.codecs.h265 import parse_h265_vps_rate

H264 = bytes.fromhex("67640029acd940780227e5c044000003000400000300783c60c658")
H265 = bytes.fromhex("420101016000000300900000030000030078a003c08010e596566924caf016808000000300800000078400")
VPS = bytes.fromhex("40010c01ffff01600000030090000003000003007895980 9".replace(" ", ""))


def damaged(source: bytes):
    edits = st.lists(st.tuples(st.integers(1, len(source) - 1), st.integers(0, 255)), max_size=8)

    def apply(changes, cut):
        out = bytearray(source)
        for at, value in changes:
            out[at] = value
        return bytes(out[:cut])

    return st.builds(apply, edits, st.integers(1, len(source)))


@settings(max_examples=400, deadline=500)
@given(st.one_of(damaged(H264), damaged(H265), damaged(VPS), st.binary(max_size=200)))
def test_parameter_sets_give_a_size_or_value_error(nal):
    for parse in (parse_h264_sps, parse_h265_sps):
        with contextlib.suppress(ValueError):
            facts = parse(nal)
            assert 0 < facts.width_px <= 16384 and 0 < facts.height_px <= 16384
            assert 0 <= facts.reorder_depth <= 16
    with contextlib.suppress(ValueError):
        parse_h265_vps_rate(nal)
    for codec in ("h264", "h265"):
        with contextlib.suppress(ValueError):
            video_parameters(codec, [nal, b"\x68\xce", b"\x44\x01", VPS])


@settings(max_examples=300, deadline=500)
@given(st.binary(max_size=300))
def test_other_parsers_raise_nothing_else(payload):
    for parse in (aac_parameters, jpeg_size_px, lambda b: list(iter_length_prefixed(b))):
        with contextlib.suppress(ValueError):
            parse(payload)
    assert all(b"\0\0\1" not in nal for nal in split_annexb(b"\0\0\1" + payload))


def test_a_set_of_ones_or_zeros_ends_at_once():
    for filler in (b"\0", b"\xff", b"\x80"):
        for head in (b"\x67", b"\x42\x01"):
            for parse in (parse_h264_sps, parse_h265_sps):
                with contextlib.suppress(ValueError):
                    parse(head + filler * 4000)

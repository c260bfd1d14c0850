"""AAC (RFC 3640) and G.711 from packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.depacketize_audio import AacDepacketizer, G711Depacketizer, UnsupportedAudio, audio_parameters
from recorder.rtsp.sdp import Track

from .packets import Feeder, rtp

HBR = {"mode": "AAC-hbr", "config": "1408", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"}


def aac_track(clock_hz=16000, **changes):
    return Track("audio", 97, "MPEG4-GENERIC", "aac", clock_hz, 1, HBR | changes)


def feeder(track):
    kind = AacDepacketizer if track.codec == "aac" else G711Depacketizer
    return Feeder(lambda clock, sink: kind(track, clock, sink.on_audio), payload_type=track.payload_type)


def hbr(*units, sizes=None):
    sizes = sizes or [len(unit) for unit in units]
    headers = b"".join((size << 3).to_bytes(2, "big") for size in sizes)
    return (16 * len(sizes)).to_bytes(2, "big") + headers + b"".join(units)


def test_several_units_in_a_packet_follow_each_other():
    fed = feeder(aac_track())
    fed.packet(rtp(0, 100, hbr(b"one", b"second", b"3"), marker=True, payload_type=97))
    fed.packet(rtp(1, 100 + 3072, hbr(b"four"), marker=True, payload_type=97))
    assert fed.sink.audio == [
        (b"one", 100, 1024),
        (b"second", 1124, 1024),
        (b"3", 2148, 1024),
        (b"four", 3172, 1024),
    ]


def test_unit_over_several_packets_is_joined():
    unit = bytes(range(250)) * 4
    fed = feeder(aac_track())
    for number, at in enumerate(range(0, 1000, 400)):
        piece = hbr(unit[at : at + 400], sizes=[1000])
        fed.packet(rtp(number, 5, piece, marker=at == 800, payload_type=97))
    assert fed.sink.audio == [(unit, 5, 1024)]


def test_lost_part_of_a_unit_costs_that_unit_only():
    unit = bytes(1000)
    fed = feeder(aac_track())
    fed.packet(rtp(0, 5, hbr(unit[:400], sizes=[1000]), payload_type=97))
    fed.packet(rtp(2, 5, hbr(unit[800:], sizes=[1000]), marker=True, payload_type=97))
    fed.packet(rtp(3, 1029, hbr(b"next"), marker=True, payload_type=97))
    assert fed.sink.audio == [(b"next", 1029, 1024)]
    assert fed.sink.losses == [1]


def test_low_bit_rate_headers_are_of_one_byte():
    track = aac_track(mode="AAC-lbr", sizelength="6", indexlength="2", indexdeltalength="2")
    fed = feeder(track)
    fed.packet(rtp(0, 0, b"\x00\x10" + bytes((3 << 2, 2 << 2)) + b"abcde", payload_type=97))
    assert [unit for unit, *_ in fed.sink.audio] == [b"abc", b"de"]


def test_clock_of_half_the_output_rate_is_scaled():
    # HE-AAC: core 24 kHz, output 48 kHz, announced explicitly (object type 5).
    track = aac_track(clock_hz=24000, config="2b098800")
    assert audio_parameters(track).sample_rate_hz == 48000
    fed = feeder(track)
    fed.packets(rtp(n, 1024 * n, hbr(b"x"), payload_type=97) for n in range(3))
    assert [(time, duration) for _, time, duration in fed.sink.audio] == [(0, 2048), (2048, 2048), (4096, 2048)]


@pytest.mark.parametrize(
    "track",
    [
        aac_track(config=""),
        aac_track(config="zz"),
        aac_track(config="f8"),
        aac_track(sizelength="99"),
        aac_track(ctsdeltalength="16"),
        Track("audio", 97, "OPUS", "", 48000),
    ],
)
def test_audio_that_is_not_understood_is_named(track):
    with pytest.raises(UnsupportedAudio):
        audio_parameters(track)


def test_g711_of_two_channels_lasts_half_its_bytes():
    fed = feeder(Track("audio", 0, "PCMU", "pcmu", 8000, 2))
    fed.packet(rtp(0, 2**32 - 80, bytes(160), payload_type=0))
    fed.packet(rtp(1, 0, bytes(160), payload_type=0))
    assert [(time, duration) for _, time, duration in fed.sink.audio] == [(2**32 - 80, 80), (2**32, 80)]


@given(st.lists(st.tuples(st.binary(max_size=80), st.booleans()), max_size=30))
def test_no_packets_raise(script):
    for track in (aac_track(), aac_track(sizelength="16", indexlength="0", indexdeltalength="1")):
        fed = feeder(track)
        for number, (payload, marker) in enumerate(script):
            fed.packet(rtp(number, number // 3, payload, marker=marker, payload_type=97))
        assert all(len(unit) <= 80 * 30 for unit, *_ in fed.sink.audio)

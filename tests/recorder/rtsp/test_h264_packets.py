"""H.264 from packets that are single, aggregated, fragmented, lost, doubled, late, or marked wrongly."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.codecs import video_parameters
from recorder.errors import CameraError
from recorder.rtsp import nal_depacketizer
from recorder.rtsp.depacketize_h264 import H264Depacketizer

from .packets import H264_SETS, Feeder, fragments, rtp, sample

SPS, PPS = H264_SETS
KNOWN = video_parameters("h264", H264_SETS)
IDR = b"\x65\x88" + bytes(range(1, 250)) * 2
IDR_2 = b"\x65\x40" + b"second slice" * 30
P = b"\x41\x9a" + b"p" * 300
P_2 = b"\x41\x40" + b"q" * 300
SEI = b"\x06\x05\x01\x00\x80"


def feeder(known=KNOWN, is_udp=False):
    def make(clock, sink):
        return H264Depacketizer("cam:554", clock, sink.on_video, lambda video: sink.on_parameters(video, None), known)

    return Feeder(make, is_udp=is_udp)


def stream(units, marks="last", sequence=65530, timestamp=2**32 - 6000):
    """RTP packets for lists of payloads, one list an access unit."""
    packets = []
    for unit in units:
        for number, payload in enumerate(unit):
            is_last = number == len(unit) - 1
            marker = {"last": is_last, "never": False, "always": True}[marks]
            packets.append(rtp(sequence, timestamp, payload, marker=marker))
            sequence += 1
        timestamp += 3000
    return packets


def test_single_aggregated_and_fragmented_units_become_one_sample():
    aggregate = b"\x18" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in (SPS, PPS, SEI))
    units = [[aggregate, *fragments(IDR), IDR_2], fragments(P), [P], [P]]
    fed = feeder().packets(stream(units))
    assert fed.units == [sample(SPS, PPS, SEI, IDR, IDR_2), sample(P), sample(P), sample(P)]
    assert [entry[2] for entry in fed.sink.video] == [True, False, False, False]
    times = [entry[1] for entry in fed.sink.video]
    assert [time - times[0] for time in times] == [0, 3000, 6000, 9000]
    assert fed.sink.losses == []


def test_marker_makes_a_sample_at_once_and_the_first_one_waits_for_the_next_timestamp():
    fed = feeder()
    packets = stream([[IDR], [P], [P]])
    fed.packet(packets[0])
    assert fed.units == []
    fed.packet(packets[1])
    assert len(fed.units) == 2
    fed.packet(packets[2])
    assert len(fed.units) == 3
    assert [entry[3] for entry in fed.sink.video] == [1000, 2000, 3000]


def test_without_any_marker_the_timestamp_ends_a_sample():
    fed = feeder().packets(stream([[SPS, PPS, IDR, IDR_2], [P, P_2], fragments(P), [P]], marks="never"))
    assert fed.units == [sample(SPS, PPS, IDR, IDR_2), sample(P, P_2), sample(P)]
    assert [entry[3] for entry in fed.sink.video] == [4000, 6000, 10000]


def test_marker_on_every_packet_is_seen_through():
    fed = feeder().packets(stream([[SPS, PPS, IDR, IDR_2], [P, P_2], [P, P_2], [P]], marks="always"))
    assert fed.units == [sample(SPS, PPS, IDR, IDR_2), sample(P, P_2), sample(P, P_2)]


def test_parameter_sets_under_another_timestamp_belong_to_the_next_picture():
    fed = feeder().packets(stream([[P], [SPS, PPS], [IDR], [P], [P]]))
    assert sample(SPS, PPS, IDR) in fed.units


def test_b_frames_are_timestamps_that_go_back():
    packets = [rtp(n, time, IDR if n == 0 else P, marker=True) for n, time in enumerate((0, 9000, 3000, 6000, 12000))]
    times = [entry[1] for entry in feeder().packets(packets).sink.video]
    assert times == [0, 9000, 3000, 6000, 12000]


def test_nothing_comes_before_parameters_are_known():
    fed = feeder(known=None).packets(stream([[P], [IDR], [P], [SPS, PPS, IDR], [P], [P]]))
    assert fed.sink.order[:2] == ["parameters", "key"]
    assert fed.units[0] == sample(SPS, PPS, IDR)
    assert fed.sink.parameters[0][0] == KNOWN


def test_changed_parameters_are_announced_before_their_keyframe_and_the_same_are_not():
    other_pps = PPS[:-1] + b"\x81"
    units = [[SPS, PPS, IDR], [P], [SPS, PPS, IDR], [SPS, other_pps, P], [SPS, other_pps, IDR], [P]]
    fed = feeder().packets(stream(units))
    assert fed.sink.order == ["key", "video", "key", "video", "parameters", "key", "video"]
    assert fed.sink.parameters[0][0].parameter_sets == (SPS, other_pps)


def test_unusable_parameter_sets_leave_the_old_ones_in_force():
    fed = feeder().packets(stream([[b"\x67\xff", PPS, IDR], [P], [P]]))
    assert fed.sink.order == ["key", "video", "video"]


def test_open_gop_camera_starts_with_an_intra_picture():
    intra = b"\x41\x88" + b"i" * 50
    fed = feeder(known=None).packets(stream([[P], [SPS, PPS, intra], [P], [P]]))
    assert [entry[2] for entry in fed.sink.video] == [True, False, False]


@pytest.mark.parametrize("missing", range(1, 13))
def test_lost_packet_costs_its_picture_and_no_other(missing):
    units = [[IDR], *(fragments(P) for _ in range(4)), [P], [P]]
    packets = stream(units)
    del packets[missing]
    fed = feeder().packets(packets)
    assert fed.units.count(sample(P)) >= 4  # of six
    assert set(fed.units) <= {sample(P), sample(IDR)}
    assert sum(fed.sink.losses) == 1


def test_missing_first_slice_damages_the_picture():
    packets = stream([[IDR], [P], [P, P_2], [P]])
    del packets[2]
    fed = feeder().packets(packets)
    assert fed.units == [sample(IDR), sample(P), sample(P)]


def test_doubled_and_late_packets_are_ignored():
    packets = stream([[IDR], fragments(P), fragments(P), [P]])
    doubled = [packet for packet in packets for _ in range(2)]
    doubled.insert(8, packets[0])
    fed = feeder().packets(doubled)
    assert fed.units == [sample(IDR), sample(P), sample(P), sample(P)]
    assert fed.sink.losses == []


@pytest.mark.parametrize("seed", range(10))
def test_reordered_datagrams_come_out_in_order(seed):
    packets = stream([[IDR], *(fragments(P) for _ in range(30))])
    late = random.Random(seed)
    arrival = [0.0, *(number + late.uniform(0, 6) for number in range(1, len(packets)))]
    fed = feeder(is_udp=True).packets(
        packets[number] for number in sorted(range(len(packets)), key=arrival.__getitem__)
    )
    assert fed.units == [sample(IDR), *[sample(P)] * 30]
    assert fed.sink.losses == []


def test_missing_datagram_is_waited_for_no_longer_than_a_tenth_of_a_second():
    packets = stream([[IDR], [P], fragments(P), [P], [P]])
    fed = feeder(is_udp=True)
    fed.packets([*packets[:3], *packets[4:-1]])
    before = len(fed.units)
    fed.clock.now_ns += 200_000_000
    fed.packet(packets[-1])
    assert len(fed.units) > before
    assert fed.units[-1] == sample(P)
    assert fed.sink.losses == [1]


def test_missing_datagram_is_waited_for_by_a_few_packets_only():
    packets = stream([[IDR], *([P] for _ in range(100))])
    del packets[5]
    fed = feeder(is_udp=True).packets(packets)
    assert len(fed.units) == 100
    assert fed.sink.losses == [1]


def test_new_source_goes_on_without_loss():
    first = stream([[IDR], [P], [P]])
    second = [rtp(40000 + n, 500 + 3000 * n, IDR if n == 0 else P, marker=True, ssrc=8) for n in range(3)]
    for is_udp in (False, True):
        fed = feeder(is_udp=is_udp).packets(first + second)
        assert fed.units == [sample(IDR), sample(P), sample(P)] * 2
        assert fed.sink.losses == []


def test_sequence_that_starts_over_under_the_same_source_is_followed():
    first = stream([[IDR], [P], [P]], sequence=100)
    second = stream([[P], [P], [IDR], [P]], sequence=30000)
    fed = feeder().packets(first + second)
    assert fed.units[3:] == [sample(P), sample(IDR), sample(P)]  # one packet shows where it starts over


def test_padding_extension_and_sources_are_skipped():
    extension = b"\xbe\xde\x00\x01\x01\x02\x03\x04"
    packets = [
        rtp(0, 0, IDR, marker=True),
        rtp(1, 3000, P, marker=True, first=0x90, extra=extension),
        rtp(2, 6000, P + b"\0\0\3", marker=True, first=0xA0),
        rtp(3, 9000, P, marker=True, first=0x81, extra=b"csrc"),
        rtp(4, 12000, P, marker=True, payload_type=97),
        rtp(4, 12000, P, marker=True),
    ]
    assert feeder().packets(packets).units == [sample(IDR), *[sample(P)] * 4]


def test_camera_that_forgets_the_end_of_a_fragment_is_forgiven():
    pieces = fragments(P)
    pieces[-1] = bytes((pieces[-1][0], pieces[-1][1] & 0xBF)) + pieces[-1][2:]
    assert feeder().packets(stream([[IDR], pieces, [P]])).units == [sample(IDR), sample(P), sample(P)]


def test_picture_without_end_is_a_bad_stream(monkeypatch):
    monkeypatch.setattr(nal_depacketizer, "MAX_UNIT_BYTES", 100_000)
    monkeypatch.setattr("recorder.rtsp.depacketize_h264.MAX_UNIT_BYTES", 100_000)
    start = b"\x7c\x85" + b"\x88" * 1000
    middle = b"\x7c\x05" + b"x" * 1000
    fed = feeder()
    with pytest.raises(CameraError, match="cam:554"):
        fed.packets(rtp(n, 0, start if n == 0 else middle) for n in range(200))
    with pytest.raises(CameraError):
        feeder().packets(rtp(n, 0, SEI) for n in range(2000))


KINDS = st.sampled_from([bytes((kind,)) for kind in (24, 28, 0x7C, 0x65, 7, 8)])
FIRST_BYTES = st.sampled_from((0x80, 0x90, 0xA0, 0xBF, 0))
PAYLOADS = st.one_of(
    st.binary(max_size=60),
    st.builds(bytes.__add__, KINDS, st.binary(max_size=40)),
    st.sampled_from([SPS, PPS, SEI, IDR, P, *fragments(P)]),
)


@pytest.mark.parametrize("is_udp", [False, True])
@given(
    st.lists(
        st.tuples(st.integers(-3, 70), st.integers(-1, 2), PAYLOADS, st.booleans(), FIRST_BYTES),
        max_size=60,
    )
)
def test_no_packets_raise_anything_else(is_udp, script):
    fed = feeder(known=None, is_udp=is_udp)
    sequence = timestamp = 0
    try:
        for step, advance, payload, marker, first in script:
            sequence, timestamp = sequence + step, timestamp + 3000 * advance
            fed.packet(rtp(sequence, timestamp, payload, marker=marker, first=first))
        fed.receiver.report()
    except CameraError:
        pass
    for unit in fed.units:
        at = 0
        while at < len(unit):
            at += 4 + int.from_bytes(unit[at : at + 4], "big")
        assert at == len(unit)

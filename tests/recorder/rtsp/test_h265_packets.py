"""H.265 from single, aggregated and fragmented packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.codecs import video_parameters
from recorder.errors import CameraError
from recorder.rtsp.depacketize_h265 import H265Depacketizer

from .clips import make_clip
from .packets import Feeder, fragments_h265, rtp, sample

CRA = b"\x2a\x01\x80" + b"c" * 400
TRAIL = b"\x02\x01\x80" + b"t" * 400
TRAIL_2 = b"\x02\x01\x00" + b"u" * 400
SEI = b"\x4e\x01\x05\x01\x00\x80"


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """VPS, SPS and PPS of a real encoder."""
    import av

    from recorder.codecs import nal_type, split_annexb

    clip = make_clip(tmp_path_factory.mktemp("clip") / "x.mp4", "h265", frames=2)
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        packets = av.BitStreamFilterContext("hevc_mp4toannexb", stream).filter(next(source.demux(stream)))
        nals = split_annexb(bytes(packets[0]))
    return tuple(nal for nal in nals if nal_type("h265", nal) in (32, 33, 34))


def feeder(known=None):
    def make(clock, sink):
        return H265Depacketizer("cam:554", clock, sink.on_video, lambda video: sink.on_parameters(video, None), known)

    return Feeder(make)


def test_aggregated_and_fragmented_units_become_samples(sets):
    vps, sps, pps = sets
    aggregate = b"\x60\x01" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in (vps, sps, pps, SEI))
    units = [[aggregate, *fragments_h265(CRA)], [*fragments_h265(TRAIL), TRAIL_2], [TRAIL]]
    packets, sequence = [], 0
    for timestamp, unit in enumerate(units):
        for n, payload in enumerate(unit):
            packets.append(rtp(sequence, timestamp * 3000, payload, marker=n == len(unit) - 1))
            sequence += 1
    fed = feeder().packets(packets)
    assert fed.units == [sample(vps, sps, pps, SEI, CRA), sample(TRAIL, TRAIL_2), sample(TRAIL)]
    assert fed.sink.order == ["parameters", "key", "video", "video"]
    assert fed.sink.parameters[0][0] == video_parameters("h265", sets)


def test_first_slice_flag_shows_a_marker_that_comes_too_early(sets):
    known = video_parameters("h265", sets)
    packets = [rtp(n, n // 2 * 3000, nal, marker=True) for n, nal in enumerate([CRA, TRAIL_2, *[TRAIL, TRAIL_2] * 3])]
    fed = feeder(known).packets(packets)
    assert fed.units == [sample(CRA, TRAIL_2), sample(TRAIL, TRAIL_2), sample(TRAIL, TRAIL_2)]


@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=40), st.booleans()), max_size=60))
def test_no_packets_raise_anything_else(script):
    fed = feeder()
    timestamp = 0
    try:
        for sequence, (step, payload, marker) in enumerate(script):
            timestamp += 3000 * step
            fed.packet(rtp(sequence, timestamp, payload, marker=marker))
            fed.packet(rtp(sequence, timestamp, b"\x62\x01" + payload, marker=marker))
    except CameraError:
        pass

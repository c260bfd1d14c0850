"""Session descriptions in the manner of real cameras."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.sdp import choose_tracks, join_control, parse_sdp

SETS = "Z00AHpWoKA9puAgICBA=,aO48gA=="

AXIS = f"""v=0
o=- 1188340656180883 1 IN IP4 192.168.0.90
s=Session streamed with GStreamer
i=rtsp-server
t=0 0
a=tool:GStreamer
a=type:broadcast
a=control:rtsp://192.168.0.90/axis-media/media.amp?videocodec=h264
a=range:npt=now-
m=video 0 RTP/AVP 96
c=IN IP4 0.0.0.0
b=AS:50000
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1;profile-level-id=4d0029;sprop-parameter-sets={SETS}
a=ts-refclk:local
a=control:rtsp://192.168.0.90/axis-media/media.amp/stream=0?videocodec=h264
a=framerate:25.000000
m=audio 0 RTP/AVP 97
a=rtpmap:97 MPEG4-GENERIC/16000/1
a=fmtp:97 streamtype=5;profile-level-id=2;mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;indexdeltalength=3
a=control:rtsp://192.168.0.90/axis-media/media.amp/stream=1?videocodec=h264
"""

HIKVISION = f"""v=0\r
o=- 1109162014219182 1109162014219192 IN IP4 x.y.z.w\r
s=Media Presentation\r
e=NONE\r
b=AS:5100\r
t=0 0\r
a=control:rtsp://10.0.0.64/Streaming/Channels/101/\r
m=video 0 RTP/AVP 96\r
b=AS:5000\r
a=control:rtsp://10.0.0.64/Streaming/Channels/101/trackID=1\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets={SETS}\r
m=audio 0 RTP/AVP 8\r
a=control:rtsp://10.0.0.64/Streaming/Channels/101/trackID=2\r
a=rtpmap:8 PCMA/8000\r
a=Media_header:MEDIAINFO=494D4B48010100000400010000000000000000000000000000000000;\r
a=appversion:1.0\r
m=application 0 RTP/AVP 107\r
a=control:rtsp://10.0.0.64/Streaming/Channels/101/trackID=3\r
a=rtpmap:107 vnd.onvif.metadata/90000\r
"""

DAHUA = """v=0\r
o=- 2252310609 2252310609 IN IP4 0.0.0.0\r
s=Media Server\r
c=IN IP4 0.0.0.0\r
t=0 0\r
a=control:*\r
a=packetization-supported:DH\r
a=rtppayload-supported:DH\r
a=range:npt=now-\r
m=video 0 RTP/AVP 98\r
a=control:trackID=0\r
a=framerate:25.000000\r
a=rtpmap:98 H265/90000\r
a=fmtp:98 profile-id=1;sprop-sps=QgEBAWAA;sprop-pps=RAHA;sprop-vps=QAEMAf//\r
a=recvonly\r
m=audio 0 RTP/AVP 97\r
a=control:trackID=1\r
a=rtpmap:97 MPEG4-GENERIC/64000\r
a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1188\r
a=recvonly\r
m=audio 0 RTP/AVP 8\r
a=control:trackID=5\r
a=rtpmap:8 PCMA/8000\r
a=sendonly\r
m=application 0 RTP/AVP 107\r
a=control:trackID=4\r
a=rtpmap:107 vnd.onvif.metadata/90000\r
a=recvonly\r
"""

REOLINK = """v=0
o=- 1710000000 1 IN IP4 192.168.1.20
s=Session streamed by "preview"
t=0 0
a=tool:LIVE555 Streaming Media v2013.04.08
a=type:broadcast
a=control:*
a=range:npt=0-
m=video 0 RTP/AVP 96
c=IN IP4 0.0.0.0
b=AS:500
a=rtpmap:96 H264/90000
a=range:npt=0-
a=fmtp:96 packetization-mode=1;profile-level-id=640033;sprop-parameter-sets=Z2QAM6zoBaA8lA==,aO48sA==
a=control:track1
m=audio 0 RTP/AVP 97
a=rtpmap:97 MPEG4-GENERIC/16000
a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408
a=control:track2
"""

FOSCAM = """v=0\ro=- 1 1 IN IP4 0.0.0.0\rs=IP Camera Video\rt=0 0\ra=control:*\rm=video 0 RTP/AVP 96\r\
a=rtpmap:96 H264/90000\ra=control:track1\rm=audio 0 RTP/AVP 0\ra=control:track2\r"""

SEVERAL = """v=0
m=video 0 RTP/AVP 26
a=control:jpeg
m=video 0 RTP/AVP 100 99
a=rtpmap:99 H264/90000
a=rtpmap:100 VP8/90000
a=fmtp:99 packetization-mode=1
a=control:second
m=video 0 RTP/AVP 101
a=rtpmap:101 H265/90000
a=control:third
m=audio 0 RTP/AVP 18
a=control:g729
m=audio 0 RTP/AVP 102
a=rtpmap:102 PCMU/16000/1
a=control:wide
"""


@pytest.mark.parametrize(
    ("text", "video", "audio", "ignored"),
    [
        (AXIS, ("h264", 96, 90000), ("aac", 97, 16000), []),
        (HIKVISION, ("h264", 96, 90000), ("pcma", 8, 8000), ["application VND.ONVIF.METADATA"]),
        (DAHUA, ("h265", 98, 90000), ("aac", 97, 64000), ["audio PCMA", "application VND.ONVIF.METADATA"]),
        (REOLINK, ("h264", 96, 90000), ("aac", 97, 16000), []),
        (FOSCAM, ("h264", 96, 90000), ("pcmu", 0, 8000), []),
        (SEVERAL, ("h264", 99, 90000), ("pcmu", 102, 16000), ["video JPEG", "video H265", "audio payload type 18"]),
    ],
    ids=["axis", "hikvision", "dahua", "reolink", "foscam", "several"],
)
@pytest.mark.parametrize("line_end", [None, "\n", "\r\n", "\r", "\r\n\r\n"])
def test_tracks_of_a_camera(text, video, audio, ignored, line_end):
    if line_end is not None:
        text = "\n".join(text.splitlines()).replace("\n", line_end)
    found_video, found_audio, found_ignored = choose_tracks(parse_sdp(text.encode() + b"\0"))
    assert (found_video.codec, found_video.payload_type, found_video.clock_hz) == video
    assert (found_audio.codec, found_audio.payload_type, found_audio.clock_hz) == audio
    assert found_ignored == ignored


def test_parameter_sets_come_out_of_fmtp():
    video, _, _ = choose_tracks(parse_sdp(HIKVISION.encode()))
    assert [nal[0] & 31 for nal in video.parameter_sets()] == [7, 8]
    video, _, _ = choose_tracks(parse_sdp(DAHUA.encode()))
    assert [nal[0] >> 1 for nal in video.parameter_sets()] == [32, 33, 34]
    video, _, _ = choose_tracks(parse_sdp(FOSCAM.encode()))
    assert video.parameter_sets() == []


def test_parameter_sets_without_padding_or_with_nonsense_between():
    text = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets=aO48gA,,!!,aO48gA==,\n"
    video, _, _ = choose_tracks(parse_sdp(text.encode()))
    assert video.parameter_sets() == [bytes.fromhex("68ee3c80")] * 2


def test_encrypted_media_is_not_taken_for_video():
    text = "m=video 0 RTP/SAVP 96\na=rtpmap:96 H264/90000\n"
    video, _, ignored = choose_tracks(parse_sdp(text.encode()))
    assert video is None
    assert ignored == ["video SRTP"]


@pytest.mark.parametrize(
    ("base", "control", "joined"),
    [
        ("rtsp://h/a/", "trackID=1", "rtsp://h/a/trackID=1"),
        ("rtsp://h/a", "trackID=1", "rtsp://h/a/trackID=1"),
        ("rtsp://h/a?channel=1&subtype=0/", "trackID=0", "rtsp://h/a?channel=1&subtype=0/trackID=0"),
        ("rtsp://h/a?channel=1&subtype=0", "trackID=0", "rtsp://h/a?channel=1&subtype=0/trackID=0"),
        ("rtsp://h/a", "?ctype=video", "rtsp://h/a?ctype=video"),
        ("rtsp://h/a", "/video", "rtsp://h/a/video"),
        ("rtsp://h/a", "rtsp://other/b", "rtsp://other/b"),
        ("rtsp://h/a", "*", "rtsp://h/a"),
        ("rtsp://h/a", "", "rtsp://h/a"),
    ],
)
def test_control_addresses_are_joined_as_cameras_expect(base, control, joined):
    assert join_control(base, control) == joined


def test_description_of_thousands_of_tracks_is_cut():
    session = parse_sdp(b"m=video 0 RTP/AVP 96\n" * 5000)
    assert len(session.tracks) <= 64


LINES = st.one_of(
    st.text(max_size=60),
    st.sampled_from((AXIS + DAHUA + SEVERAL).splitlines()),
    st.builds("a=rtpmap:{} {}".format, st.text(max_size=6), st.text(max_size=20)),
    st.builds("a=fmtp:{} {}".format, st.text(max_size=6), st.text(max_size=40)),
    st.builds("m={}".format, st.text(max_size=30)),
)


@given(st.lists(LINES, max_size=30))
def test_no_description_raises(lines):
    video, audio, _ = choose_tracks(parse_sdp("\n".join(lines).encode("utf-8", "surrogatepass")))
    for track in (video, audio):
        if track is not None:
            track.parameter_sets()
            assert 0 <= track.payload_type < 128

"""Playlists that any HLS player takes, over the files as they lie on the disk."""

import re

import pytest

from recorder.archive.body import Body, FileRange
from recorder.archive.exceptions import NoFootage
from recorder.archive.hls import build_playlist
from recorder.archive.layout import parse_segment_name
from recorder.archive.span import video_only
from tests.recorder.archive.playing import complaints_of, packets_of, serve
from tests.recorder.archive.recorded import CAMERA, START_MS

PAST_MS = START_MS + 3_600_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def playlist(catalog, from_ms=0, to_ms=60_000, *, now_ms=PAST_MS, **options):
    return build_playlist(catalog, CAMERA, "main", START_MS + from_ms, START_MS + to_ms, now_ms=now_ms, **options)


def served(catalog, text):
    """What the media service would answer for the playlist and its URIs."""
    answers = {"/playlist.m3u8": text.encode()}
    for uri in set(re.findall(r"s/[^\"\n]+", text)):
        name = parse_segment_name(uri.partition("?")[0])
        path = catalog.find(CAMERA, "main", name.start_ms, name.epoch)
        if uri.endswith("?audio=0"):
            answers[f"/{uri}"] = video_only(catalog.indexes.segment(path))[1]
        else:
            answers[f"/{uri}"] = Body([FileRange(path, 0, path.stat().st_size)])
    return answers


def seconds(text):
    return sum(float(length) for length in re.findall(r"#EXTINF:([\d.]+)", text))


@pytest.mark.parametrize(("codec", "b_frames", "audio"), [("h264", 2, "aac"), ("h265", 0, None), ("h264", 0, "pcma")])
def test_ffmpeg_plays_every_packet_without_a_warning(archive, catalog, codec, b_frames, audio):
    archive.record(codec=codec, b_frames=b_frames, audio=audio, seconds=30, segment_s=20)
    text = playlist(catalog)
    with serve(served(catalog, text)) as url:
        assert complaints_of(f"{url}/playlist.m3u8") == ""
        assert [sample for _, _, sample in packets_of(f"{url}/playlist.m3u8")] == [s for _, _, s in archive.samples]
        if audio == "aac":
            sounds = [sample for _, _, sample in packets_of(f"{url}/playlist.m3u8", "audio")]
            assert sounds == [sample for _, sample in archive.sounds]
    assert seconds(text) == pytest.approx(30)
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert ("?audio=0" in text) == (audio == "pcma")


def test_entries_are_cut_at_keyframes_and_the_target_duration_is_the_longest(archive, catalog):
    archive.record(seconds=30, segment_s=20)
    text = playlist(catalog)
    lengths = [float(length) for length in re.findall(r"#EXTINF:([\d.]+)", text)]
    assert lengths == [6, 6, 6, 2, 6, 4]
    assert "#EXT-X-TARGETDURATION:6\n" in text
    ranges = [tuple(map(int, pair)) for pair in re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", text)]
    assert all(first[0] + first[1] == second[1] for first, second in [(ranges[0], ranges[1]), (ranges[1], ranges[2])])
    assert text.count("#EXT-X-MAP") == 1
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00.000Z" in text
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:20.000Z" in text
    assert "DISCONTINUITY" not in text


def test_part_begins_at_the_keyframe_before_and_says_how_far_in_to_start(archive, catalog):
    archive.record(seconds=30, segment_s=20)
    text = playlist(catalog, 3500, 12_250)
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:03.000Z" in text
    assert "#EXT-X-START:TIME-OFFSET=0.500,PRECISE=YES" in text
    assert seconds(text) == pytest.approx(9.3)


def test_keyframe_that_is_shown_after_the_end_makes_no_entry(archive, catalog):
    """With open GOPs, B-frames that are shown before a keyframe come after it in the file."""
    archive.record(codec="h265", b_frames=2, seconds=12, segment_s=20, gop_frames=12, has_open_gops=True)
    for to_ms in range(6000, 7200, 100):
        text = playlist(catalog, 0, to_ms)
        assert min(map(float, re.findall(r"#EXTINF:([\d.]+)", text))) >= 0.1
        assert seconds(text) == pytest.approx(to_ms / 1000)
        with serve(served(catalog, text)) as url:
            assert complaints_of(f"{url}/playlist.m3u8") == ""


def test_holes_and_new_parameters_are_discontinuities(archive, catalog):
    archive.record()
    archive.record(START_MS + 10_000)
    archive.record(START_MS + 16_000, size=(320, 192))
    text = playlist(catalog)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2
    assert text.count("#EXT-X-MAP") == 2


def test_ffmpeg_plays_over_a_hole_without_a_warning(archive, catalog):
    archive.record(audio="aac")
    archive.record(START_MS + 10_000, audio="aac")
    text = playlist(catalog)
    with serve(served(catalog, text)) as url:
        assert [sample for _, _, sample in packets_of(f"{url}/playlist.m3u8")] == [s for _, _, s in archive.samples]
        assert complaints_of(f"{url}/playlist.m3u8") == ""


def test_span_into_the_future_is_an_event_that_only_grows(archive, catalog):
    archive.record(seconds=30, segment_s=20, is_left_open=True)
    early = playlist(catalog, to_ms=HOUR_MS, now_ms=START_MS)
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in early
    assert "#EXT-X-ENDLIST" not in early
    assert seconds(early) == pytest.approx(26)
    archive.record(START_MS + 30_000, seconds=30, segment_s=20)
    late = playlist(catalog, to_ms=HOUR_MS, now_ms=START_MS)
    assert late.startswith(early)


def test_audio_can_be_left_out(archive, catalog):
    archive.record(audio="aac")
    assert playlist(catalog, with_audio=False).count("?audio=0") == 4


def test_day_has_an_entry_per_file(archive, catalog):
    archive.record(seconds=30, segment_s=20)
    text = playlist(catalog, to_ms=DAY_MS, now_ms=START_MS + 2 * DAY_MS)
    assert text.count("#EXTINF") == 2


def test_empty_span_names_the_nearest_moments(archive, catalog):
    archive.record()
    with pytest.raises(NoFootage) as caught:
        playlist(catalog, 7000, 9000)
    assert caught.value.nearest == (START_MS + 5900, None)

"""Spans for the browser's player: raw fragments, cut where it has to start anew; and the bytes of one picture."""

import av
import pytest

from recorder.archive.exceptions import NoFootage
from recorder.archive.frame_at import find_frame
from recorder.archive.span import SpanEnd, read_span, video_only
from tests.recorder.archive.playing import complaints_of, packets_of, write_body
from tests.recorder.archive.recorded import CAMERA, START_MS

KINDS = [("h264", 0, None), ("h264", 2, "aac"), ("h265", 2, "pcma")]


@pytest.mark.parametrize(("codec", "b_frames", "audio"), KINDS)
def test_span_holds_the_recorded_fragments_over_file_borders(archive, catalog, tmp_path, codec, b_frames, audio):
    archive.record(codec=codec, b_frames=b_frames, audio=audio)
    span = read_span(catalog, CAMERA, "main", START_MS + 1500, START_MS + 4500)
    path = write_body(tmp_path / "span.mp4", span.body)
    got = packets_of(path)
    assert got == [(pts, dts, sample) for pts, dts, sample in archive.samples[10 : 10 + len(got)]]
    assert {pts // 90 for pts, _, _ in archive.samples if START_MS + 1000 <= pts // 90 < START_MS + 4500} <= {
        pts // 90 for pts, _, _ in got
    }
    assert (span.start_ms, span.end_ms, span.next_ms) == (START_MS + 1000, START_MS + 4500, START_MS + 4500)
    assert span.end is SpanEnd.TO
    assert complaints_of(path) == ""


def test_span_without_audio_holds_video_only(archive, catalog, tmp_path):
    archive.record(audio="pcma")
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 6000, with_audio=False)
    path = write_body(tmp_path / "span.mp4", span.body)
    with av.open(str(path)) as container:
        assert len(container.streams) == 1
    assert span.audio is None
    assert packets_of(path) == archive.samples
    assert complaints_of(path) == ""


def test_keyframes_alone(archive, catalog, tmp_path):
    archive.record(audio="aac", b_frames=2)
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 6000, keyframes_only=True)
    path = write_body(tmp_path / "span.mp4", span.body)
    assert [(pts // 90 - START_MS) for pts, _, _ in packets_of(path)] == [0, 1000, 2000, 3000, 4000, 5000]


def test_span_ends_at_a_hole_and_says_where_to_go_on(archive, catalog):
    archive.record()
    archive.record(START_MS + 10_000)
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 60_000)
    assert (span.end_ms, span.next_ms, span.end) == (START_MS + 6000, START_MS + 10_000, SpanEnd.HOLE)
    rest = read_span(catalog, CAMERA, "main", span.next_ms, START_MS + 60_000)
    assert (rest.start_ms, rest.end_ms, rest.next_ms) == (START_MS + 10_000, START_MS + 16_000, None)


def test_hole_beyond_the_span_is_jumped_too(archive, catalog):
    archive.record()
    archive.record(START_MS + 10_000)
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 8000)
    assert (span.end_ms, span.next_ms, span.end) == (START_MS + 6000, START_MS + 10_000, SpanEnd.HOLE)


def test_one_lost_frame_at_a_border_is_no_hole(archive, catalog):
    archive.record()
    archive.record(START_MS + 6100)
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 60_000)
    assert span.end_ms == START_MS + 12_100


def test_span_ends_where_the_parameters_change(archive, catalog):
    archive.record()
    archive.record(START_MS + 6000, size=(320, 192))
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 60_000)
    assert (span.end_ms, span.next_ms, span.end) == (START_MS + 6000, START_MS + 6000, SpanEnd.PARAMETERS)
    assert read_span(catalog, CAMERA, "main", span.next_ms, START_MS + 60_000).video.width_px == 320


def test_from_within_a_hole_begins_with_the_next_keyframe(archive, catalog):
    archive.record()
    assert read_span(catalog, CAMERA, "main", START_MS - 5000, START_MS + 1000).start_ms == START_MS


def test_empty_span_names_the_nearest_moments(archive, catalog):
    archive.record()
    with pytest.raises(NoFootage) as caught:
        read_span(catalog, CAMERA, "main", START_MS + 7000, START_MS + 9000)
    assert caught.value.nearest == (START_MS + 5900, None)


def test_higher_epoch_is_played_and_the_lower_one_goes_on_after_it(archive, catalog):
    archive.record(epoch=1, segment_s=60)
    archive.record(START_MS + 2000, epoch=2, seconds=2)
    at_ms, played = START_MS, []
    while at_ms is not None:
        span = read_span(catalog, CAMERA, "main", at_ms, START_MS + 60_000)
        played.append((span.start_ms - START_MS, span.end_ms - START_MS))
        at_ms = span.next_ms
    assert played == [(0, 4000), (4000, 6000)]


def test_higher_epoch_of_another_size_cuts_the_run_where_it_begins(archive, catalog):
    archive.record(epoch=1, segment_s=60)
    archive.record(START_MS + 2500, epoch=2, seconds=2, size=(320, 192))
    span = read_span(catalog, CAMERA, "main", START_MS, START_MS + 60_000)
    assert (span.end_ms, span.next_ms, span.end) == (START_MS + 2500, START_MS + 2500, SpanEnd.PARAMETERS)
    assert read_span(catalog, CAMERA, "main", START_MS + 2500, START_MS + 60_000).video.width_px == 320
    rest = read_span(catalog, CAMERA, "main", START_MS + 4500, START_MS + 60_000)
    assert (rest.start_ms, rest.end_ms, rest.video.width_px) == (START_MS + 4000, START_MS + 6000, 160)


def test_file_without_its_audio_is_a_whole_file(archive, catalog, tmp_path):
    archive.record(audio="pcma", segment_s=60)
    (ref,) = catalog.segments(CAMERA, "main", START_MS, START_MS + 1)
    init, body = video_only(catalog.indexed(ref))
    path = write_body(tmp_path / "silent.mp4", body)
    assert body.read(0, len(init)) == init
    assert packets_of(path) == archive.samples
    assert complaints_of(path) == ""


@pytest.mark.parametrize(("codec", "b_frames", "audio"), KINDS)
def test_bytes_of_one_picture_decode_to_that_picture(archive, catalog, tmp_path, codec, b_frames, audio):
    archive.record(codec=codec, b_frames=b_frames, audio=audio)
    for at_ms in (0, 99, 100, 1370, 1999, 2000, 3650, 5999):
        source = find_frame(catalog, CAMERA, "main", START_MS + at_ms)
        assert source.shown_ms == START_MS + at_ms // 100 * 100
        with av.open(str(write_body(tmp_path / "frame.mp4", source.body))) as container:
            pictures = [frame.pts for frame in container.decode(video=0)]
        assert pictures[source.output_index] == source.ticks == source.shown_ms * 90


def test_newest_picture_is_the_last_one_of_the_open_file(archive, catalog):
    archive.record(is_left_open=True)
    assert find_frame(catalog, CAMERA, "main").shown_ms == START_MS + 5900


def test_no_picture_in_a_hole(archive, catalog):
    archive.record()
    with pytest.raises(NoFootage):
        find_frame(catalog, CAMERA, "main", START_MS + 6000)
    with pytest.raises(NoFootage):
        find_frame(catalog, CAMERA, "sub")

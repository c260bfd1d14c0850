"""The sample index, the walk and the scanner see the same file; salvage makes a torn file complete."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.fmp4 import FragmentScanner, SampleIndexBuilder
from recorder.fmp4.columns import pack_column
from recorder.fmp4.unpack import unpack_column

from .clips import STEP, Clip, Frame, Packet, encode_audio, encode_video, read_index, with_audio, write

CLIPS = {
    "video": lambda: encode_video(b_frames=2),
    "audio": lambda: encode_audio("pcma", seconds=2, rate=8000),
    "both": lambda: with_audio(encode_video(b_frames=2), encode_audio()),
}


@pytest.fixture(params=CLIPS)
def clip(request) -> Clip:
    return CLIPS[request.param]()


def test_index_equals_walk_and_points_at_every_sample(clip, tmp_path):
    written = write(clip)
    path = tmp_path / "segment.mp4"
    path.write_bytes(written.complete)
    indexed = read_index(path)
    path.write_bytes(written.open)
    walked = read_index(path)
    assert (indexed.is_complete, walked.is_complete) == (True, False)
    walked.is_complete = True
    assert indexed == walked
    assert indexed.media_end == written.borders[-1]
    for track, stored in ((indexed.video, clip.frames), (indexed.audio, clip.packets)):
        assert (track is None) == (not stored)
        if track is None:
            continue
        found = [written.open[at : at + size] for at, size in zip(track.offsets, track.sizes, strict=True)]
        assert found == [sample.content for sample in stored]
        assert list(track.decode_times) == [sample.decode_time for sample in stored]
        assert all(written.open[at + 4 : at + 8] == b"moof" for at in track.fragment_offsets)
    if indexed.video:
        assert list(indexed.video.cts_offsets) == [frame.cts_offset for frame in clip.frames]
        assert list(indexed.video.keyframes) == [i for i, frame in enumerate(clip.frames) if frame.is_keyframe]


@pytest.mark.parametrize("torn_bytes", [1, 7, 50, 111, 400])
def test_torn_last_fragment_is_left_out_and_salvage_makes_the_file_complete(clip, torn_bytes, tmp_path):
    written = write(clip)
    path = tmp_path / "segment.mp4.part"
    path.write_bytes(written.open[: written.borders[-2]] + written.media[-1][:torn_bytes])
    index = read_index(path)
    if torn_bytes < len(written.media[-1]):
        assert index.media_end == written.borders[-2]
    os.truncate(path, index.media_end)
    with path.open("ab") as file:
        file.write(index.trailer())
    again = read_index(path)
    assert again.is_complete
    again.is_complete = False
    assert again == index


def test_trailer_torn_anywhere_costs_nothing_but_completeness(tmp_path):
    written = write(encode_video(count=15))
    path = tmp_path / "segment.mp4"
    for kept in range(0, len(written.trailer), 13):
        path.write_bytes(written.open + written.trailer[:kept])
        index = read_index(path)
        assert (index.is_complete, index.media_end, len(index.video)) == (False, written.borders[-1], 15)


def test_a_flipped_bit_in_the_index_is_noticed(tmp_path):
    written = write(encode_video(count=15))
    path = tmp_path / "segment.mp4"
    for at in range(32, len(written.trailer) - 80, 7):
        trailer = bytearray(written.trailer)
        trailer[at] ^= 4
        path.write_bytes(written.open + trailer)
        index = read_index(path)
        assert len(index.video) == 15
        assert list(index.video.sizes) == [len(frame.content) for frame in encode_video(count=15).frames]


def test_last_duration_is_the_prediction_and_the_others_are_distances(tmp_path):
    clip = encode_video(count=15)
    frames = [Frame(f.content, f.decode_time + n * 7, 0, f.is_keyframe, 1234) for n, f in enumerate(clip.frames)]
    path = tmp_path / "segment.mp4"
    path.write_bytes(write(Clip(clip.video, frames)).complete)
    track = read_index(path).video
    assert list(track.durations) == [STEP + 7] * 14 + [1234]


def test_index_takes_at_most_16_bytes_a_frame_and_little_for_audio():
    video, audio = encode_video(), encode_audio()
    frames = [
        Frame(bytes(os.urandom(2)) * (50 + n % 40_000), 9 * 10**13 + n * STEP + n % 80, 0, n % 30 == 0)
        for n in range(900)
    ]
    alone = write(Clip(video.video, frames))
    assert len(alone.trailer) <= 16 * len(frames)
    packets = [Packet(b"x" * (200 + n % 150), 48 * 10**12 + n * 1024, 1024) for n in range(2800)]
    both = write(Clip(None, [], audio.audio, packets))
    assert len(both.trailer) <= 4 * len(packets)


def test_audio_only_file_has_a_seek_table_for_audio():
    written = write(encode_audio("pcma", seconds=10, rate=8000))
    at = written.trailer.index(b"tfra")
    track, _, entries = struct.unpack_from(">III", written.trailer, at + 8)
    assert (track, entries) == (2, 5)


def test_media_end_that_is_no_file_offset_is_refused():
    builder = SampleIndexBuilder()
    builder.add_video(1000, 1112, 10, 5, 6, 0, True)
    with pytest.raises(ValueError, match="media_end"):
        builder.trailer(1_760_000_000_000_000_000)
    with pytest.raises(ValueError, match="rising order"):
        builder.trailer(1121)
    assert builder.trailer(1122)


def test_decode_times_that_fall_are_read_as_equal_and_jumps_of_hours_end_the_file(tmp_path):
    clip = encode_video(count=15)
    frames = [Frame(f.content, f.decode_time, 0, f.is_keyframe) for f in clip.frames]
    frames[5].decode_time -= 3 * STEP
    path = tmp_path / "segment.mp4"
    path.write_bytes(write(Clip(clip.video, frames)).complete)
    times = read_index(path).video.decode_times
    assert list(times) == sorted(times)
    written = write(Clip(clip.video, frames))
    jumped = bytearray(written.open)
    at = written.borders[9] + 60
    assert struct.unpack_from(">Q", jumped, at)[0] == frames[9].decode_time
    struct.pack_into(">Q", jumped, at, frames[9].decode_time + (1 << 40))
    path.write_bytes(jumped)
    assert len(read_index(path).video) == 9


def test_cut_init_or_foreign_file_is_refused(tmp_path):
    written = write(encode_video(count=15))
    path = tmp_path / "segment.mp4"
    for content in (b"", written.init[:7], written.init[:-1], b"x" * 5000, written.media[0]):
        path.write_bytes(content)
        with pytest.raises(ValueError):
            read_index(path)
    path.write_bytes(written.init)
    assert len(read_index(path).video) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.booleans())
def test_scanner_finds_every_fragment_however_the_bytes_are_cut(step, from_the_middle):
    clip = CLIPS["both"]()
    written = write(clip)
    content = written.complete
    start = written.borders[3] if from_the_middle else 0
    scanner = FragmentScanner(written.init, start) if from_the_middle else FragmentScanner()
    found = []
    for at in range(start, len(content), step):
        fed = min(at + step, len(content))
        found += scanner.feed(content[at:fed])
        assert scanner.position == fed
        whole = [border for border in written.borders if start < border <= fed and border > written.borders[0]]
        assert len(found) == len(whole)  # each is told as soon as it is whole
    assert scanner.init == written.init
    assert scanner.has_ended
    begins = [border for border in written.borders[:-1] if border >= start]
    assert [fragment.offset for fragment in found] == begins
    assert [content[f.offset : f.offset + f.length] for f in found] == written.media[-len(begins) :]
    keyframes = [f.decode_time for f in found if f.track == 1 and f.is_keyframe]
    first = min(f.decode_time for f in found if f.track == 1)
    assert keyframes == [f.decode_time for f in clip.frames if f.is_keyframe and f.decode_time >= first]


@given(st.lists(st.integers(0, 2**48 - 1) | st.sampled_from([0, 1, 255, 256]), max_size=60))
def test_columns_round_trip(values):
    packed = pack_column(values)
    column, at = unpack_column(b"ab" + packed, 2, len(values), "Q")
    assert (list(column), at) == (values, len(packed) + 2)

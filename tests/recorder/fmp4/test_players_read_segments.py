"""Segment files, complete and open, through FFmpeg's tools and PyAV: no warning, every byte and time as written."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction

import av
import pytest

from recorder.fmp4 import parse_init

from .clips import Clip, Frame, encode_audio, encode_video, read_index, with_audio, write

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg and ffprobe")

CLIPS = {
    "h264": lambda: encode_video(),
    "h264_b_frames": lambda: encode_video(b_frames=3),
    "h264_1080p": lambda: encode_video(count=4, width=1920, height=1080),
    "h265": lambda: encode_video("h265"),
    "h265_b_frames_10_bit": lambda: encode_video("h265", b_frames=3, pixel_format="yuv420p10le"),
    "mjpeg": lambda: encode_video("mjpeg", count=8),
    "aac_alone": lambda: encode_audio(seconds=1, channels=2),
    "alaw_alone": lambda: encode_audio("pcma", seconds=1, rate=8000),
    "h264_aac": lambda: with_audio(encode_video(b_frames=2), encode_audio()),
    "h265_aac_44100": lambda: with_audio(encode_video("h265"), encode_audio(rate=44_100, channels=2)),
    "h264_ulaw": lambda: with_audio(encode_video(), encode_audio("pcmu", rate=8000)),
    "mjpeg_alaw": lambda: with_audio(encode_video("mjpeg", count=8), encode_audio("pcma", 0.5, rate=8000)),
}


@pytest.fixture(params=CLIPS)
def clip(request) -> Clip:
    return CLIPS[request.param]()


def silent(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def packets_of(path, kind: str) -> list[tuple[bytes, Fraction, Fraction]]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (bytes(packet), packet.dts * packet.time_base, packet.pts * packet.time_base)
            for packet in container.demux(stream)
            if packet.size
        ]


@pytest.mark.parametrize("is_open", [False, True])
def test_ffmpeg_and_ffprobe_read_it_without_a_warning(clip, is_open, tmp_path):
    written = write(clip)
    path = tmp_path / "segment.mp4"
    path.write_bytes(written.open if is_open else written.complete)
    silent("ffmpeg", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-")
    counts = silent(
        "ffprobe",
        "-v",
        "warning",
        "-count_packets",
        "-show_entries",
        "stream=nb_read_packets",
        "-of",
        "csv=p=0",
        path,
    )
    assert [int(count) for count in counts.split()] == [len(x) for x in (clip.frames, clip.packets) if x]


@pytest.mark.parametrize("is_open", [False, True])
def test_packets_come_back_byte_for_byte_with_exact_times(clip, is_open, tmp_path):
    written = write(clip)
    path = tmp_path / "segment.mp4"
    path.write_bytes(written.open if is_open else written.complete)
    if clip.video:
        expected = [
            (f.content, Fraction(f.decode_time, 90_000), Fraction(f.decode_time + f.cts_offset, 90_000))
            for f in clip.frames
        ]
        assert packets_of(path, "video") == expected
    if clip.audio:
        rate = clip.audio.sample_rate_hz
        expected = [(p.content, Fraction(p.decode_time, rate), Fraction(p.decode_time, rate)) for p in clip.packets]
        assert packets_of(path, "audio") == expected


def test_an_open_file_cut_at_any_fragment_border_reads_without_a_warning(tmp_path):
    clip = with_audio(encode_video(count=12, b_frames=2, gop=6), encode_audio(seconds=0.7))
    written = write(clip)
    path = tmp_path / "segment.mp4.part"
    for border in written.borders[3:]:
        path.write_bytes(written.open[:border])
        silent("ffmpeg", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-")


def test_init_round_trips_exactly(clip):
    assert parse_init(write(clip).init) == (clip.video, clip.audio)


def test_init_round_trips_what_the_sets_dont_say():
    from dataclasses import replace

    from recorder.fmp4 import build_init

    video = replace(encode_video().video, reorder_depth=3, frame_rate=12.5)
    audio = replace(encode_audio("pcma", rate=8000).audio, channels=4)
    assert parse_init(build_init(video, audio)) == (video, audio)
    assert parse_init(build_init(None, audio)) == (None, audio)
    mjpeg = replace(encode_video("mjpeg", count=8).video, frame_rate=10.0)
    assert parse_init(build_init(mjpeg, None)) == (mjpeg, None)


def test_our_init_says_what_a_foreign_muxers_says(tmp_path):
    """parse_init on FFmpeg's own init gives the same parameters as what went in."""
    clip = encode_video(count=15)
    path = tmp_path / "ours.mp4"
    path.write_bytes(write(clip).complete)
    foreign = tmp_path / "foreign.mp4"
    flags = "frag_every_frame+empty_moov+default_base_moof"
    silent("ffmpeg", "-v", "warning", "-i", path, "-c", "copy", "-movflags", flags, foreign)
    index = read_index(foreign)
    video, audio = parse_init(index.init)
    assert (video, audio) == (clip.video, None)
    assert [len(index.video), index.is_complete] == [15, False]
    content = foreign.read_bytes()
    found = [content[at : at + size] for at, size in zip(index.video.offsets, index.video.sizes, strict=True)]
    assert found == [frame.content for frame in clip.frames]


def test_negative_composition_offsets_are_kept_though_ffmpeg_moves_them(tmp_path):
    """Why capture writes offsets of 0 and more: libavformat adds the lowest offset of a file to every pts."""
    clip = encode_video(count=15, b_frames=2)
    earlier = clip.frames[0].cts_offset
    assert earlier > 0
    frames = [Frame(f.content, f.decode_time + earlier, f.cts_offset - earlier, f.is_keyframe) for f in clip.frames]
    path = tmp_path / "segment.mp4"
    path.write_bytes(write(Clip(clip.video, frames)).complete)
    assert list(read_index(path).video.cts_offsets) == [frame.cts_offset for frame in frames]
    lowest = min(frame.cts_offset for frame in frames)
    assert lowest < 0
    expected = {Fraction(f.decode_time + f.cts_offset - lowest, 90_000) for f in frames}
    assert {pts for _, _, pts in packets_of(path, "video")} == expected

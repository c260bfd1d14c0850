"""clip.mp4 holds exactly the recorded bytes of its span, and every player takes it."""

import json

import av
import pytest

from recorder.archive.clip import build_clip
from recorder.archive.exceptions import FootageGone, FormatChanged, NoFootage
from recorder.archive.movie import NOTE_UUID
from recorder.fmp4.boxes import iter_boxes
from tests.recorder.archive.playing import complaints_of, frame_times_of, packets_of, write_body
from tests.recorder.archive.recorded import CAMERA, START_MS

KINDS = [("h264", 0, None), ("h264", 2, "aac"), ("h264", 0, "pcma"), ("h265", 2, "aac"), ("h265", 0, "pcma")]


def clip_file(catalog, tmp_path, from_ms, to_ms, **options):
    clip = build_clip(catalog, CAMERA, "main", from_ms, to_ms, **options)
    path = write_body(tmp_path / "clip.mp4", clip.body)
    assert path.stat().st_size == clip.length
    return clip, path


@pytest.mark.parametrize(("codec", "b_frames", "audio"), KINDS)
def test_whole_recording_comes_back_byte_for_byte_without_a_warning(archive, catalog, tmp_path, codec, b_frames, audio):
    archive.record(codec=codec, b_frames=b_frames, audio=audio)
    clip, path = clip_file(catalog, tmp_path, START_MS, START_MS + 6000)
    origin = archive.samples[0][0]
    expected = [(pts - origin, dts - origin, sample) for pts, dts, sample in archive.samples]
    assert packets_of(path) == expected
    assert complaints_of(path) == ""
    assert clip.spans == ((START_MS, START_MS + 6000),)
    if audio:
        sounds = packets_of(path, "audio")
        end = (START_MS + 6000) * clip.audio.sample_rate_hz // 1000
        wanted = [sound for sound in archive.sounds if sound[0] < end]
        assert [sound for _, _, sound in sounds] == [sound for _, sound in wanted]
        assert [pts - sounds[0][0] for pts, _, _ in sounds] == [at - wanted[0][0] for at, _ in wanted]


@pytest.mark.parametrize(("codec", "b_frames", "audio"), KINDS)
def test_part_begins_at_the_keyframe_before_and_ends_before_to(archive, catalog, tmp_path, codec, b_frames, audio):
    archive.record(codec=codec, b_frames=b_frames, audio=audio)
    clip, path = clip_file(catalog, tmp_path, START_MS + 1550, START_MS + 4230)
    assert clip.spans == ((START_MS + 1000, START_MS + 4300),)
    times = frame_times_of(path)
    assert times == pytest.approx([number / 10 for number in range(33)], abs=1e-4)
    stored = [sample for _, _, sample in packets_of(path, ignore_editlist="1")]
    every = [sample for _, _, sample in archive.samples]
    assert stored == every[10 : 10 + len(stored)]
    assert 33 <= len(stored) <= 33 + b_frames
    assert complaints_of(path) == ""
    if audio:
        rate = clip.audio.sample_rate_hz
        first, end = (START_MS + 1000) * rate // 1000, (START_MS + 4300) * rate // 1000
        wanted = [sound for at, sound in archive.sounds if first <= at < end]
        assert [sound for _, _, sound in packets_of(path, "audio")] == wanted


def test_audio_stays_in_step_with_the_video(archive, catalog, tmp_path):
    archive.record(audio="aac")
    archive.record(START_MS + 60_000, audio="aac")
    _, path = clip_file(catalog, tmp_path, START_MS + 1500, START_MS + 64_000)
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
    shown = {sample: pts for pts, _, sample in packets_of(path)}
    heard = {sample: pts for pts, _, sample in packets_of(path, "audio")}
    for start_ms in (START_MS, START_MS + 60_000):
        video = next((pts, shown[s]) for pts, _, s in archive.samples if pts // 90 == start_ms + 2000)
        audio = next((at, heard[s]) for at, s in archive.sounds if at * 1000 // rate >= start_ms + 2000)
        assert video[0] / 90_000 - video[1] / 90_000 == pytest.approx(audio[0] / rate - audio[1] / rate, abs=1e-3)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_holes_are_cut_out_and_reported(archive, catalog, tmp_path, b_frames):
    archive.record(b_frames=b_frames, audio="aac")
    archive.record(START_MS + 3_600_000, b_frames=b_frames, audio="aac")
    clip, path = clip_file(catalog, tmp_path, START_MS, START_MS + 4_000_000)
    assert clip.spans == ((START_MS, START_MS + 6000), (START_MS + 3_600_000, START_MS + 3_606_000))
    assert frame_times_of(path) == pytest.approx([number / 10 for number in range(120)], abs=1e-3)
    assert [sample for _, _, sample in packets_of(path)] == [sample for _, _, sample in archive.samples]
    assert complaints_of(path) == ""


def test_clip_without_audio_has_one_track(archive, catalog, tmp_path):
    archive.record(audio="aac")
    clip, path = clip_file(catalog, tmp_path, START_MS, START_MS + 6000, with_audio=False)
    with av.open(str(path)) as container:
        assert len(container.streams) == 1
    assert clip.audio is None
    assert complaints_of(path) == ""


def test_change_of_size_within_one_codec_stays_one_clip(archive, catalog, tmp_path):
    archive.record()
    archive.record(START_MS + 6000, size=(320, 192))
    _, path = clip_file(catalog, tmp_path, START_MS, START_MS + 12_000)
    assert [sample for _, _, sample in packets_of(path)] == [sample for _, _, sample in archive.samples]
    with av.open(str(path)) as container:
        widths = [frame.width for frame in container.decode(video=0)]
    assert widths == [160] * 60 + [320] * 60


@pytest.mark.parametrize(
    ("second", "track"), [({"codec": "h265", "audio": "aac"}, "video"), ({"audio": "pcma"}, "audio")]
)
def test_change_of_codec_is_refused_with_its_instant(archive, catalog, second, track):
    archive.record(audio="aac")
    archive.record(START_MS + 6000, **second)
    with pytest.raises(FormatChanged, match=r"2026-03-01T12:00:06\.000Z") as caught:
        build_clip(catalog, CAMERA, "main", START_MS, START_MS + 12_000)
    assert caught.value.track == track
    assert [at for at, _, _ in caught.value.changes] == [START_MS + 6000]


def test_any_byte_range_equals_that_part_of_the_whole(archive, catalog, tmp_path):
    archive.record(audio="aac")
    clip, path = clip_file(catalog, tmp_path, START_MS + 500, START_MS + 5000)
    whole = path.read_bytes()
    for start, end in [(0, 1), (0, 0), (17, 5000), (clip.length - 1, clip.length), (3000, clip.length)]:
        assert b"".join(clip.iter_bytes(start, end)) == whole[start:end]
    assert clip.read(clip.length - 5, 100) == whole[-5:]
    for start, end in [(-1, 1), (2, 1), (0, clip.length + 1)]:
        with pytest.raises(ValueError, match="range"):
            list(clip.iter_bytes(start, end))


def test_moov_comes_first_and_the_note_names_camera_and_span(archive, catalog, tmp_path):
    archive.record()
    clip, path = clip_file(catalog, tmp_path, START_MS, START_MS + 6000)
    whole = path.read_bytes()
    boxes = {kind: whole[start:end] for kind, start, end in iter_boxes(whole, 0, len(whole))}
    assert list(boxes) == [b"ftyp", b"moov", b"uuid", b"mdat"]
    assert boxes[b"uuid"][:16] == NOTE_UUID.bytes
    note = json.loads(boxes[b"uuid"][16:])
    assert note == {"camera": CAMERA, "stream": "main", "spans_utc_ms": [list(span) for span in clip.spans]}
    with av.open(str(path)) as container:
        assert container.metadata["creation_time"] == "2026-03-01T12:00:00.000000Z"


def test_clip_too_long_for_32_bit_offsets_plays_as_well(archive, catalog, tmp_path, monkeypatch):
    """Offsets of 64 bits without making 4 GB: the limit from which they are used is lowered."""
    monkeypatch.setattr("recorder.archive.movie.LONG_OFFSETS_BYTES", 0)
    archive.record(audio="aac", b_frames=2)
    _, path = clip_file(catalog, tmp_path, START_MS, START_MS + 6000)
    assert b"co64" in path.read_bytes()
    assert [sample for _, _, sample in packets_of(path)] == [sample for _, _, sample in archive.samples]
    assert complaints_of(path) == ""


def test_same_span_has_the_same_etag_and_another_has_not(archive, catalog):
    archive.record()
    first, again, other = (
        build_clip(catalog, CAMERA, "main", START_MS, START_MS + length) for length in (4000, 4000, 3000)
    )
    assert first.etag == again.etag != other.etag


def test_open_file_gives_what_it_holds(archive, catalog, tmp_path):
    archive.record(is_left_open=True, b_frames=2)
    clip, path = clip_file(catalog, tmp_path, START_MS, START_MS + 60_000)
    assert clip.spans == ((START_MS, START_MS + 6000),)
    assert complaints_of(path) == ""


def test_span_without_footage_names_the_nearest_moments(archive, catalog):
    archive.record()
    archive.record(START_MS + 60_000)
    with pytest.raises(NoFootage) as caught:
        build_clip(catalog, CAMERA, "main", START_MS + 10_000, START_MS + 20_000)
    assert caught.value.nearest == (START_MS + 5900, START_MS + 60_000)


def test_file_that_vanishes_before_its_turn_is_named_as_gone(archive, catalog):
    archive.record()
    clip = build_clip(catalog, CAMERA, "main", START_MS, START_MS + 6000)
    archive.paths[1].unlink()
    with pytest.raises(FootageGone):
        list(clip.iter_bytes())


def test_file_that_is_closed_meanwhile_is_still_found(archive, catalog):
    archive.record(is_left_open=True)
    clip = build_clip(catalog, CAMERA, "main", START_MS, START_MS + 6000)
    before = list(clip.iter_bytes())
    part = archive.paths[-1]
    part.rename(part.with_suffix(""))
    assert list(clip.iter_bytes()) == before

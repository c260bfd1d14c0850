"""ffmpeg and ffprobe play segments, playlists and clips without a word of warning."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.oracle.footage import read_footage
from tests.product import Product, wait_for

from .plant import Plant, fetched_clip, iso, span_query

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ONE_OF_A_KIND = [0, 5, 9, 13]
"""Places in the plant: every kind once, TCP and UDP."""


def play(source: str | Path, *options: str) -> None:
    """Decode all of it; any line that ffmpeg says is too much."""
    argv = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "warning", *options, "-i", str(source), "-f", "null", "-"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def probe(source: str | Path, *options: str) -> dict:
    argv = ["ffprobe", "-v", "warning", "-of", "json", "-show_streams", "-show_format", "-count_packets", *options]
    done = subprocess.run([*argv, str(source)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def authorized(product: Product) -> tuple[str, ...]:
    return ("-headers", f"Authorization: Bearer {product.token}\r\n")


def check_playlist(product: Product, camera: str, start_ns: int, end_ns: int) -> dict:
    url = f"{product.url}/api/v1/cameras/{camera}/playlist.m3u8?{span_query(start_ns, end_ns)}"
    play(url, *authorized(product))
    return probe(url, *authorized(product))


@pytest.fixture(scope="module")
def played(plant: Plant) -> Plant:
    """The plant, once every stream of it has a closed segment."""
    wait_for(lambda: all(plant.files(camera) for camera in plant.cameras), 90, "a closed segment of every camera")
    return plant


def test_segments_play_without_a_warning(played: Plant) -> None:
    for at in ONE_OF_A_KIND:
        path = played.files(played.cameras[at])[0]
        found = probe(path)
        video = found["streams"][0]
        assert int(video["nb_read_packets"]) == len(read_footage(path).frames)
        play(path)


def test_clips_play_without_a_warning(played: Plant) -> None:
    end_ns = time.time_ns()
    for at in ONE_OF_A_KIND:
        with fetched_clip(played.product, played.cameras[at].id, end_ns - 12_300_000_000, end_ns) as path:
            found = probe(path)
            assert float(found["format"]["duration"]) == pytest.approx(12.3, abs=1.2)  # from the keyframe before
            play(path)


def test_playlists_play_without_a_warning_over_the_borders_of_segments(played: Plant) -> None:
    for at in ONE_OF_A_KIND:
        camera = played.cameras[at]
        border = read_footage(played.files(camera)[0]).frames[-1]
        wait_for(lambda border=border: time.time_ns() > border.utc_ns + 6_000_000_000, 20, "footage after the border")
        found = check_playlist(played.product, camera.id, border.utc_ns - 3_000_000_000, border.utc_ns + 5_000_000_000)
        # HLS carries no G.711: such footage is played without its sound.
        kinds = [stream["codec_type"] for stream in found["streams"]]
        assert kinds == (["video", "audio"] if "AAC" in camera.name else ["video"])


def test_snapshot_of_then_and_now_is_a_whole_picture(played: Plant) -> None:
    for at in ONE_OF_A_KIND:
        camera = played.cameras[at]
        for query in ("", f"?at={iso(time.time_ns() - 3_000_000_000)}", "?w=64"):
            image = played.product.request("GET", f"/api/v1/cameras/{camera.id}/snapshot.jpg{query}", raw=True)
            assert image.startswith(b"\xff\xd8")
            assert image.endswith(b"\xff\xd9")

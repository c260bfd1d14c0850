"""Recorded and played back by the whole product: gst-rtsp-server with digest authentication, and a film from a real
camera."""

from __future__ import annotations

import os
import time
from pathlib import Path

import av
import pytest

from tests.oracle.footage import read_footage
from tests.product import wait_for
from tests.recorder.rtsp.clips import make_clip
from tests.recorder.rtsp.test_gst_server import has_gst, serving
from tests.recorder.simcam.fixtures import ROOT, SimcamProcess

from .plant import Plant, add_camera, capture_status, fetched_clip, iso, remove_camera, wait_recording
from .test_players_play_it import check_playlist, play, probe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MEDIA = Path(os.environ.get("HERON_MEDIA") or ROOT.parent / "shared/media")
FILM = MEDIA / "car-detection.mp4"
WATCHED_NS = 6_000_000_000


def last_frame_ns(plant: Plant, camera: str) -> int:
    return min(stream["last_frame_ns"] or 0 for stream in capture_status(plant.product) if stream["camera"] == camera)


@pytest.mark.gst
@pytest.mark.skipif(not has_gst(), reason="gst-rtsp-server isn't installed")
@pytest.mark.parametrize(("codec", "audio"), [("h264", "aac"), ("h265", "none")])
def test_gst_rtsp_server_is_recorded_over_tcp_and_udp_and_played_back(
    plant: Plant, tmp_path: Path, codec: str, audio: str
) -> None:
    product = plant.product
    clip = make_clip(tmp_path / "clip.mp4", codec, frames=40 * 15, fps=15, b_frames=2, has_audio=True)
    cameras: dict[str, str] = {}
    with serving(clip, codec=codec, audio=audio, auth="digest") as url:
        try:
            wrong = add_camera(product, "gst, wrong password", url, username="camera", password="not this one")
            cameras["wrong"] = wrong
            for transport in ("tcp", "udp"):
                login = {"username": "camera", "password": "s3cret", "transport": transport}
                cameras[transport] = add_camera(product, f"gst {codec} {transport}", url, **login)
            wait_recording(product, cameras["tcp"], cameras["udp"])
            start_ns = time.time_ns()
            for transport in ("tcp", "udp"):
                camera = cameras[transport]
                wait_for(
                    lambda camera=camera: last_frame_ns(plant, camera) > start_ns + WATCHED_NS, 20, "seconds of footage"
                )
                with fetched_clip(product, camera, start_ns, start_ns + WATCHED_NS) as path:
                    found = probe(path)
                    kinds = [stream["codec_name"] for stream in found["streams"]]
                    assert kinds == [{"h265": "hevc"}.get(codec, codec), *(["aac"] if audio == "aac" else [])]
                    assert 6 * 15 <= len(read_footage(path).frames) + 1 <= 8 * 15  # from the keyframe before
                    play(path)
                check_playlist(product, camera, start_ns, start_ns + WATCHED_NS)
            shown = product.get(f"/api/v1/cameras/{wrong}/")
            assert shown["state"] == "unauthorized"
            statuses = [stream for stream in capture_status(product) if stream["camera"] in cameras.values()]
            assert {stream["lost_packets"] for stream in statuses} == {0}
        finally:
            for camera in cameras.values():
                remove_camera(product, camera)


@pytest.mark.skipif(not FILM.exists(), reason="the film isn't here")
def test_film_of_a_real_camera_is_recorded_and_played_back(plant: Plant, tmp_path: Path) -> None:
    product = plant.product
    simulator = SimcamProcess(tmp_path, 1, "--clip", str(FILM))
    camera = add_camera(product, "Car park, filmed", simulator.url())
    try:
        wait_recording(product, camera)
        start_ns = time.time_ns()
        end_ns = start_ns + WATCHED_NS
        wait_for(lambda: last_frame_ns(plant, camera) > end_ns, 20, "seconds of footage")
        with fetched_clip(product, camera, start_ns, end_ns) as path:
            seen = [frame.sha256 for frame in read_footage(path).frames]
            probe(path)
            play(path)
            assert size_of(path) == size_of(FILM)
        film = [frame.sha256 for frame in read_footage(FILM).frames]
        at = film.index(seen[0])
        loops = film[at:] + film * (len(seen) // len(film) + 1)
        assert seen == loops[: len(seen)]
        check_playlist(product, camera, start_ns, end_ns)
        query = f"at={iso(start_ns + WATCHED_NS // 2)}"
        image = product.request("GET", f"/api/v1/cameras/{camera}/snapshot.jpg?{query}", raw=True)
        (tmp_path / "snapshot.jpg").write_bytes(image)
        assert size_of(tmp_path / "snapshot.jpg") == size_of(FILM)
    finally:
        remove_camera(product, camera)
        simulator.stop()


def size_of(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return video.codec_context.width, video.codec_context.height

"""The probe against real (simulated) cameras, faulty ones, and what is no camera at all."""

import asyncio
import functools
import socket
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rest_framework.test import APIClient

from recorder.api import probe as probe_api
from vms.audit.models import AuditEntry
from vms.cameras.models import Camera
from vms.cameras.services import create_camera

URL = "/api/v1/cameras/probe/"


@pytest.fixture
def probe(administrator, api_of):
    client = api_of(administrator)

    def ask(url, **extra):
        started = time.monotonic()
        answer = client.post(URL, {"url": url, **extra})
        assert time.monotonic() - started < 10, "the API promises an answer within 10 s"
        return answer

    return ask


def error_of(answer):
    assert answer.status_code == 400, answer.json()
    error = answer.json()["errors"][0]
    assert error["detail"].endswith(".")
    return error["code"], error["attr"]


def test_a_camera_tells_what_it_sends_and_nothing_is_stored(probe, simcam):
    cameras = simcam(1, "--audio", "aac", "--fps", "10", "--gop-s", "1")
    answer = probe(cameras.url(1, "main"), sub_url=cameras.url(1, "sub"))
    assert answer.status_code == 200, answer.json()
    main, sub = answer.json()["streams"]
    assert (main["kind"], sub["kind"]) == ("main", "sub")
    assert main["video"]["codec"] == "h264"
    assert (main["video"]["width_px"], main["video"]["height_px"]) == (1280, 720)
    assert sub["video"]["width_px"] == 640
    assert main["video"]["fps"] == pytest.approx(10, rel=0.1)
    assert main["video"]["gop_s"] == pytest.approx(1, rel=0.15)
    assert main["video"]["profile"]
    assert main["audio"]["codec"] == "aac"
    assert main["bitrate_bps"] > 10_000
    assert main["warnings"] == []
    assert not Camera.objects.exists()
    entry = AuditEntry.objects.get(action="camera.probed")
    assert entry.detail == {"hosts": [f"127.0.0.1:{cameras.port}"], "errors": []}


def test_a_wrong_password_is_said_to_be_one_and_the_right_one_is_not_repeated(probe, simcam, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    cameras = simcam(1, "--user", "root", "--password-file", str(secret))
    answer = probe(cameras.url(), username="root", password="wr0ng")
    assert error_of(answer) == ("unauthorized", "password")
    assert "wr0ng" not in answer.content.decode()
    assert error_of(probe(cameras.url())) == ("unauthorized", "password")
    assert probe(cameras.url(), username="root", password="hunter2").status_code == 200
    assert "hunter2" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_a_kept_password_is_used_where_the_camera_leads_and_nowhere_else(probe, simcam, server, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    options = ("--user", "root", "--password-file", str(secret))
    cameras, others = simcam(1, *options), simcam(1, *options)
    kept = create_camera(actor=None, name="Gate", main_url=cameras.url(), username="root", password="hunter2")
    assert probe(cameras.url(), username="root", camera=str(kept.pk)).status_code == 200
    assert probe(cameras.url(1, "sub"), username="root", camera=str(kept.pk)).status_code == 200
    elsewhere = probe(cameras.url(), sub_url=others.url(), username="root", camera=str(kept.pk))
    assert error_of(elsewhere) == ("unauthorized", "password")
    assert error_of(probe(cameras.url(), username="admin", camera=str(kept.pk))) == ("unauthorized", "password")
    assert probe(cameras.url(), camera=str(uuid.uuid4())).status_code == 404


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("404", {"not_found"}),
        ("453", {"busy"}),
        ("endless-header", {"bad_stream"}),
        ("half-open", {"timeout"}),
    ],
)
def test_a_faulty_camera_gets_a_code_in_time(fault, codes, probe, simcam):
    cameras = simcam(1)
    cameras.inject(1, fault)
    assert error_of(probe(cameras.url()))[0] in codes


def test_long_gops_and_missing_sound_are_warned_of(probe, simcam):
    cameras = simcam(1, "--audio", "none", "--gop-s", "8", "--size", "320x180", "--sub-size", "160x90")
    warnings = probe(cameras.url()).json()["streams"][0]["warnings"]
    assert any("keyframe" in text for text in warnings)
    assert "No audio." in warnings


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc/passwd", "bad_scheme"),
        ("rtsp://8.8.8.8/", "address_not_allowed"),
        ("rtsp://user:pass@127.0.0.1/", "bad_address"),
        ("rtsp://no.such.host.invalid/", "name_not_found"),
        ("", "blank"),
    ],
)
def test_what_can_never_work_is_refused_before_anything_is_sent(probe, url, code):
    assert error_of(probe(url)) == (code, "url")


def test_loopback_is_refused_unless_the_networks_name_it(probe, settings):
    settings.VMS_CAMERA_NETWORKS = ("10.0.0.0/8",)
    assert error_of(probe("rtsp://127.0.0.1:6379/"))[0] == "address_not_allowed"
    assert error_of(probe("rtsp://localhost:6379/"))[0] == "address_not_allowed"


def test_a_closed_port_and_a_port_of_something_else(probe):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert error_of(probe(f"rtsp://127.0.0.1:{closed.getsockname()[1]}/"))[0] == "refused"

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        log_message = functools.partial(lambda *_: None)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        port = server.server_port
        assert error_of(probe(f"rtsp://127.0.0.1:{port}/"))[0] in {"bad_stream", "closed", "not_found"}
        assert error_of(probe(f"http://127.0.0.1:{port}/video.mjpg"))[1] == "url"
    finally:
        server.shutdown()
        server.server_close()


def test_http_mjpeg_is_read_by_libav_in_a_child(probe):
    import cv2
    import numpy as np

    picture = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8))[1].tobytes()

    class Mjpeg(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                for _ in range(200):
                    self.wfile.write(
                        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
                    )
                    self.wfile.write(picture + b"\r\n")
                    time.sleep(0.05)  # the camera's own frame rate
            except OSError:
                pass

        log_message = functools.partial(lambda *_: None)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mjpeg)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        answer = probe(f"http://127.0.0.1:{server.server_port}/video.mjpg")
        assert answer.status_code == 200, answer.json()
        video = answer.json()["streams"][0]["video"]
        assert (video["codec"], video["width_px"], video["height_px"]) == ("mjpeg", 320, 240)
    finally:
        server.shutdown()
        server.server_close()


def test_more_than_four_at_once_are_asked_to_wait(probe):
    taken = [probe_api._slots.acquire(blocking=False) for _ in range(probe_api.MAX_PROBES)]
    try:
        assert all(taken)
        answer = probe("rtsp://10.0.0.1/")
        assert answer.status_code == 429
        assert answer.json()["errors"][0]["code"] == "too_many_probes"
        assert int(answer.headers["Retry-After"]) > 0
    finally:
        for _ in taken:
            probe_api._slots.release()


def test_only_who_adds_cameras_may_probe(operator, stranger, api_of):
    for client in (api_of(operator), api_of(stranger)):
        assert client.post(URL, {"url": "rtsp://10.0.0.1/"}).status_code == 403
    assert APIClient().post(URL, {"url": "rtsp://10.0.0.1/"}).status_code == 401


def test_a_camera_that_trickles_forever_ends_at_the_limit(simcam):
    from recorder.errors import CameraError
    from recorder.netguard import AddressPolicy
    from recorder.probe import ProbeTarget, probe_stream

    cameras = simcam(1)
    cameras.inject(1, "slow 2")
    started = time.monotonic()
    with pytest.raises(CameraError) as caught:
        asyncio.run(probe_stream(ProbeTarget(cameras.url()), AddressPolicy.from_strings(["127.0.0.0/8"]), timeout_s=2))
    assert time.monotonic() - started < 3
    assert caught.value.code in {"timeout", "no_keyframe"}

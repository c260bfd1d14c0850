"""Authentication, back-pressure, descriptions and the command line."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
from itertools import islice

import pytest

from recorder.simcam.bitstream import build_stamp, split_annexb
from recorder.simcam.viewer import MAX_UNSENT_BYTES, Burst, Viewer
from tests.oracle.footage import find_stamp

from .fixtures import ROOT
from .raw_client import RawClient

_SMALL = ("--size", "320x180", "--sub-size", "160x90", "--gop-s", "1", "--scene", "lobby")


def test_sha256_digest_is_asked_for_and_checked(simcam, tmp_path):
    (tmp_path / "password").write_text("secret")
    options = ("--user", "viewer", "--password-file", str(tmp_path / "password"), "--auth", "digest-sha256")
    cameras = simcam(1, *options, *_SMALL)

    def digest(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    with RawClient(cameras.url()) as client:
        status, headers, _ = client.request("DESCRIBE")
        assert status == 401
        assert "SHA-256" in headers["www-authenticate"]
        nonce = re.search(r'nonce="(\w+)"', headers["www-authenticate"])[1]
        for password, expected in (("wrong", 401), ("secret", 200)):
            response = digest(f"{digest(f'viewer:simcam:{password}')}:{nonce}:{digest(f'DESCRIBE:{client.url}')}")
            value = (
                f'Digest username="viewer", realm="simcam", nonce="{nonce}", uri="{client.url}", '
                f'response="{response}", algorithm=SHA-256'
            )
            assert client.request("DESCRIBE", Authorization=value)[0] == expected


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("counter", [0, 1, 3, 256, 2**32, 2**63])
def test_stamps_survive_emulation_prevention(codec, counter):
    stamp = build_stamp(codec, counter, 0x0000_0300_0001_0002)
    assert not re.search(rb"\x00\x00[\x00-\x02]", stamp)
    assert split_annexb(b"\x00\x00\x01" + stamp) == [stamp]
    assert find_stamp(codec, [stamp]) == (counter, 0x0000_0300_0001_0002)


class _Transport:
    """A socket whose peer reads nothing: the amount is what matters, no network makes it exactly."""

    def __init__(self, waiting: int) -> None:
        self.waiting, self.written, self.is_aborted = waiting, b"", False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def write(self, sent: bytes) -> None:
        self.written += sent

    def abort(self) -> None:
        self.is_aborted = True


def test_viewer_that_stops_reading_is_dropped_alone():
    burst = Burst()
    burst.packets.append((0, b"h" * 12, b"payload"))
    lazy, eager = _Transport(MAX_UNSENT_BYTES + 1), _Transport(0)
    for transport in (lazy, eager):
        viewer = Viewer(transport)
        viewer.set_channels(0, 0, 1)
        viewer.send(burst)
    assert lazy.is_aborted
    assert not lazy.written
    assert eager.written == b"$\x00\x00\x13" + b"h" * 12 + b"payload"


def test_nonsense_costs_its_own_connection(simcam):
    cameras = simcam(1, *_SMALL)
    with RawClient(cameras.url()) as client:
        client.play()
        for nonsense in (b"\x00" * 20_000, b"GET / HTTP/1.1 more words\r\n\r\n", b"A" * 40_000):
            with socket.create_connection(("127.0.0.1", cameras.port), 5) as bad:
                bad.sendall(nonsense)
                try:
                    answer = bad.recv(100)
                except ConnectionResetError:  # what the server hadn't read made its end a reset
                    answer = b""
                assert answer == b""
        assert len(list(islice(client.frames(), 5))) == 5


@pytest.mark.parametrize("quirk", ["no-sprop", "absolute-control", "extra-track", "no-base"])
def test_descriptions_differ_as_cameras_do(simcam, quirk):
    cameras = simcam(1, "--quirk", quirk, *_SMALL)
    with RawClient(cameras.url()) as client:
        _, headers, sdp = client.request("DESCRIBE")
    assert ("sprop" in sdp) == (quirk != "no-sprop")
    assert (f"a=control:{client.url}/track1" in sdp) == (quirk == "absolute-control")
    assert ("m=application" in sdp) == (quirk == "extra-track")
    assert ("content-base" in headers) == (quirk != "no-base")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--clip", "/nowhere.mp4"), "not usable as a clip"),
        (("--fault", "1:nonsense"), "no fault is called 'nonsense'"),
        (("--user", "viewer"), "--user needs --password-file"),
    ],
)
def test_mistakes_are_one_line(options, sentence, tmp_path):
    command = [sys.executable, "-m", "recorder.simcam", "--port", "0", "--cache", str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(simcam, tmp_path):
    cameras = simcam(1, *_SMALL)
    with pytest.raises(RuntimeError, match=str(cameras.port)):
        simcam(1, *_SMALL, port=cameras.port)

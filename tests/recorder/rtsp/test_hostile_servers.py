"""Servers that stay silent, lie about lengths, never end, or want us elsewhere: each costs its own connection, a
bounded time, and gives an error that says what happened."""

import asyncio
import contextlib
import random
import re
import socket
import ssl
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy
from recorder.rtsp import RtspSource, RtspTarget, connection, describe
from recorder.rtsp.messages import MAX_BODY_BYTES, MAX_HEADER_BYTES, MalformedMessage, MessageAssembler
from recorder.rtsp.rtp import ReceiveClock
from recorder.rtsp.wire import RtspWire

from .collecting import Collector
from .packets import rtp
from .scripted_server import SDP, ScriptedServer, cseq, reply, usual

LOCAL = AddressPolicy.from_strings(["127.0.0.0/8"])


async def failure(script, *, context=None, stall_s=0.5, sink=None, **target):
    """The error of a run against the script, and the server."""
    async with ScriptedServer(script, context) as server:
        source = RtspSource(RtspTarget(server.url, **target), LOCAL, sink or Collector(), stall_s=stall_s)
        with pytest.raises(CameraError) as caught:
            async with asyncio.timeout(15):
                await source.run()
        assert f"127.0.0.1:{server.port}" in str(caught.value)
        return caught.value, server


def at(method, act):
    """Behave until the method comes."""

    async def script(reader, writer, request):
        if request.startswith(method + " "):
            await act(reader, writer, request)
        else:
            writer.write(usual(request))

    return script


def answering(method, status, **headers):
    async def act(reader, writer, request):
        writer.write(reply(request, status, **headers))

    return at(method, act)


@pytest.fixture
def short_waits(monkeypatch):
    monkeypatch.setattr(connection, "REPLY_TIMEOUT_S", 0.4)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.4)


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
async def test_silence_at_any_step_is_a_timeout_that_names_the_step(short_waits, method):
    async def nothing(reader, writer, request): ...

    error, _ = await failure(at(method, nothing))
    assert error.code == ErrorCode.TIMEOUT
    assert method in str(error)


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
async def test_reset_at_any_step_is_a_closed_connection(method):
    async def reset(reader, writer, request):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    error, _ = await failure(at(method, reset))
    assert error.code == ErrorCode.CLOSED


async def test_endless_header_is_cut_off():
    async def act(reader, writer, request):
        writer.write(b"RTSP/1.0 200 OK\r\nX: ")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    error, _ = await failure(at("DESCRIBE", act))
    assert error.code == ErrorCode.BAD_STREAM


@pytest.mark.parametrize("length", ["-1", "1073741824", "99999999999999999999", "abc", "65537", "\u0663"])
async def test_body_of_an_impossible_length_is_refused(length):
    error, _ = await failure(answering("DESCRIBE", "200 OK", Content_Length=length))
    assert error.code == ErrorCode.BAD_STREAM


async def test_thousands_of_headers_are_refused():
    async def act(reader, writer, request):
        writer.write(b"RTSP/1.0 200 OK\r\n" + b"a: b\r\n" * 1000 + b"\r\n")

    assert (await failure(at("OPTIONS", act)))[0].code == ErrorCode.BAD_STREAM


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n\r\n", bytes(range(256)), b"\xff" * 99]
)
async def test_another_protocol_is_a_bad_stream(greeting):
    async def act(reader, writer, request):
        writer.write(greeting)

    assert (await failure(at("OPTIONS", act)))[0].code == ErrorCode.BAD_STREAM


async def test_endless_media_instead_of_a_reply_ends_in_time(short_waits):
    async def act(reader, writer, request):
        while True:
            writer.write(b"$\x00\xff\xff" + bytes(65535))
            await writer.drain()

    started = time.monotonic()
    error, _ = await failure(at("DESCRIBE", act))
    assert error.code == ErrorCode.TIMEOUT
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "code", "is_permanent"),
    [
        ("403 Forbidden", ErrorCode.UNAUTHORIZED, True),
        ("404 Not Found", ErrorCode.NOT_FOUND, True),
        ("453 Not Enough Bandwidth", ErrorCode.BUSY, False),
        ("503 Service Unavailable", ErrorCode.BUSY, False),
        ("461 Unsupported Transport", ErrorCode.TRANSPORT_REFUSED, True),
        ("500 Internal \x1b[31m", ErrorCode.BAD_STREAM, False),
    ],
)
@pytest.mark.parametrize("method", ["DESCRIBE", "SETUP", "PLAY"])
async def test_refusals_have_codes(method, status, code, is_permanent):
    error, _ = await failure(answering(method, status))
    assert (error.code, error.is_permanent) == (code, is_permanent)
    assert str(error).isprintable()


CHALLENGES = ['Digest realm="x", nonce="1"', 'Digest realm="x", nonce="1", stale=true', 'Basic realm="x"']


@pytest.mark.parametrize("challenge", CHALLENGES)
async def test_camera_that_never_accepts_is_asked_at_most_three_times(challenge):
    script = answering("DESCRIBE", "401 Unauthorized", WWW_Authenticate=challenge)
    error, server = await failure(script, username="camera", password="s3cret")
    assert (error.code, error.is_permanent) == (ErrorCode.UNAUTHORIZED, True)
    assert sum(request.startswith("DESCRIBE") for request in server.requests) <= 3
    assert "s3cret" not in str(error) + repr(error.__cause__)


async def test_camera_that_wants_credentials_we_lack_is_not_asked_again():
    error, server = await failure(answering("DESCRIBE", "401 Unauthorized", WWW_Authenticate=CHALLENGES[0]))
    assert error.code == ErrorCode.UNAUTHORIZED
    assert len(server.requests) == 2


async def test_stale_nonce_is_renewed_in_mid_session():
    uses = {}

    async def script(reader, writer, request):
        nonce = re.search(r'nonce="(\d+)"', request)
        current = str(len(uses) // 2)
        if nonce is None or nonce[1] != current:
            header = f'Digest realm="x", nonce="{current}", qop="auth", algorithm=SHA-256, stale=true'
            writer.write(reply(request, "401 Unauthorized", WWW_Authenticate=header))
        else:
            uses[cseq(request)] = nonce[1]
            writer.write(usual(request))

    error, server = await failure(script, username="camera", password="s3cret")
    assert error.code == ErrorCode.STALLED
    assert any(request.startswith("PLAY") for request in server.requests)


async def test_injected_line_ends_do_not_leave_their_header():
    async def act(reader, writer, request):
        writer.write(reply(request, Session="1\rX-Evil: 1;timeout=60"))

    await failure(at("SETUP", act))


@pytest.mark.parametrize(
    "location", ["rtsp://10.0.0.1/x", "http://127.0.0.1/x", "rtsp://localhost.example/x", "", "file:///etc/passwd"]
)
async def test_redirect_elsewhere_is_refused(location):
    error, _ = await failure(answering("DESCRIBE", "302 Moved", Location=location))
    assert (error.code, error.is_permanent) == (ErrorCode.REDIRECTED, True)


async def test_redirect_on_the_same_host_is_followed_a_few_times():
    async def script(reader, writer, request):
        url = request.split()[1]
        if request.startswith("DESCRIBE") and not url.endswith("/live/1/1"):
            writer.write(reply(request, "301 Moved", Location=url + "/1"))
        else:
            writer.write(usual(request))

    error, server = await failure(script)
    assert error.code == ErrorCode.STALLED
    assert server.connections == 3

    async def circle(reader, writer, request):
        writer.write(reply(request, "301 Moved", Location=request.split()[1]))

    error, server = await failure(at("DESCRIBE", circle))
    assert error.code == ErrorCode.REDIRECTED
    assert server.connections == 4


def describing(sdp):
    async def script(reader, writer, request):
        writer.write(usual(request, sdp))

    return script


@pytest.mark.parametrize(
    ("sdp", "code", "word"),
    [
        ("", ErrorCode.NO_VIDEO, "no video"),
        ("v=0\r\nm=audio 0 RTP/AVP 0\r\n", ErrorCode.NO_VIDEO, "no video"),
        ("v=0\r\nm=video 0 RTP/AVP 26\r\n", ErrorCode.UNKNOWN_CODEC, "JPEG"),
        ("v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 VP9/90000\r\n", ErrorCode.UNKNOWN_CODEC, "VP9"),
        ("v=0\r\nm=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n", ErrorCode.UNKNOWN_CODEC, "SRTP"),
    ],
)
async def test_stream_without_usable_video_says_so(sdp, code, word):
    error, _ = await failure(describing(sdp))
    assert (error.code, error.is_permanent) == (code, True)
    assert word in str(error)


async def test_packets_that_stop_are_a_stall_though_the_camera_answers():
    async def act(reader, writer, request):
        writer.write(usual(request))
        writer.write(b"$\x00\x00\x50" + rtp(1, 0, b"\x65\x88" + bytes(66), marker=True))

    error, server = await failure(at("PLAY", act))
    assert error.code == ErrorCode.STALLED
    assert server.requests[-1].startswith("TEARDOWN")


async def test_garbage_between_packets_ends_the_connection():
    async def act(reader, writer, request):
        writer.write(usual(request) + b"\x00\x01garbage")

    assert (await failure(at("PLAY", act)))[0].code == ErrorCode.BAD_STREAM


async def test_sink_that_fails_ends_its_own_connection_only():
    class Broken(Collector):
        def on_video(self, *_):
            raise RuntimeError("disk")

    async def act(reader, writer, request):
        writer.write(usual(request))
        for number in range(3):
            writer.write(b"$\x00\x00\x50" + rtp(number, 3000 * number, b"\x65\x88" + bytes(66), marker=True))

    error, _ = await failure(at("PLAY", act), sink=Broken())
    assert error.code == ErrorCode.INTERNAL
    assert isinstance(error.__cause__, RuntimeError)


async def test_camera_that_asks_us_something_is_answered():
    asked = asyncio.Event()

    async def script(reader, writer, request):
        if request.startswith("RTSP/1.0"):
            asked.set()
            return
        writer.write(usual(request))
        if request.startswith("PLAY"):
            writer.write(b"OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n")
            writer.write(b"SET_PARAMETER x RTSP/1.0\r\nContent-Length: 2\r\n\r\nab")

    _, server = await failure(script)
    assert asked.is_set()
    assert any("501" in request for request in server.requests)


async def test_keep_alive_falls_within_the_session_timeout():
    asked = asyncio.Event()

    async def script(reader, writer, request):
        method = request.split(" ", 1)[0]
        if method == "SETUP":
            writer.write(reply(request, Session="5 ; timeout = 2", Transport="RTP/AVP/TCP;interleaved=0-1"))
        else:
            writer.write(usual(request))
        if method == "GET_PARAMETER":
            assert "Session: 5\r\n" in request
            asked.set()

    async with ScriptedServer(script) as server:
        task = asyncio.create_task(RtspSource(RtspTarget(server.url), LOCAL, Collector(), stall_s=30).run())
        async with asyncio.timeout(5):
            await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.requests[-1].startswith("TEARDOWN")


async def test_cancellation_is_quick_where_teardown_is_not_answered():
    playing = asyncio.Event()

    async def script(reader, writer, request):
        if not request.startswith("TEARDOWN"):
            writer.write(usual(request))
        if request.startswith("PLAY"):
            playing.set()

    async with ScriptedServer(script) as server:
        task = asyncio.create_task(RtspSource(RtspTarget(server.url), LOCAL, Collector()).run())
        await playing.wait()
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 1


async def test_refused_and_disallowed_addresses_have_codes():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"rtsp://127.0.0.1:{unused.getsockname()[1]}/x"
    cases = [
        (url, LOCAL, ErrorCode.REFUSED),
        (url, AddressPolicy.from_strings(["10.0.0.0/8"]), ErrorCode.ADDRESS_NOT_ALLOWED),
        ("http://127.0.0.1/x", LOCAL, ErrorCode.BAD_SCHEME),
        ("rtsp://u:p@127.0.0.1/x", LOCAL, ErrorCode.BAD_ADDRESS),
        ("rtsp://127.0.0.1/x%0d%0aEvil", LOCAL, ErrorCode.BAD_ADDRESS),
    ]
    for address, policy, code in cases:
        with pytest.raises(CameraError) as caught:
            await describe(RtspTarget(address, "u", "p4ssw0rd"), policy)
        assert caught.value.code == code
        assert "p4ssw0rd" not in str(caught.value) + repr(RtspTarget(address, "u", "p4ssw0rd"))


async def test_audio_that_the_camera_refuses_is_left_out():
    sdp = SDP + "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n"

    async def script(reader, writer, request):
        if request.startswith("SETUP") and "/audio " in request:
            writer.write(reply(request, "454 Session Not Found"))
        else:
            writer.write(usual(request, sdp))

    sink = Collector()
    error, _ = await failure(script, sink=sink)
    assert error.code == ErrorCode.STALLED
    assert [audio for _, audio in sink.parameters] == [None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


async def test_rtsps_with_an_expired_certificate_of_its_own_works(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def act(reader, writer, request):
        writer.write(usual(request))
        for number in range(400):
            packet = rtp(number, 3000 * number, b"\x65\x88" + bytes(1200), marker=True)
            writer.write(b"$\x00" + len(packet).to_bytes(2, "big") + packet)

    sink = Collector()
    error, _ = await failure(at("PLAY", act), context=context, sink=sink)
    assert error.code == ErrorCode.STALLED
    assert len(sink.video) == 400


async def test_rtsps_at_a_plain_port_is_a_tls_failure(short_waits):
    async with ScriptedServer(describing(SDP)) as server:
        with pytest.raises(CameraError) as caught:
            await describe(RtspTarget(server.url.replace("rtsp:", "rtsps:")), LOCAL)
        assert caught.value.code in (ErrorCode.TLS_FAILED, ErrorCode.TIMEOUT)


async def test_probe_of_a_camera_without_keyframes_says_so():
    sdp = SDP.replace("sprop-parameter-sets", "x")

    async def act(reader, writer, request):
        writer.write(usual(request))
        for number in range(9):
            writer.write(b"$\x00\x00\x50" + rtp(number, 3000 * number, b"\x41\x9a" + bytes(66), marker=True))

    async def script(reader, writer, request):
        if request.startswith("PLAY"):
            await act(reader, writer, request)
        else:
            writer.write(usual(request, sdp))

    async with ScriptedServer(script) as server:
        with pytest.raises(CameraError) as caught:
            await describe(RtspTarget(server.url), LOCAL, 1.0)
    assert caught.value.code == ErrorCode.NO_KEYFRAME


async def test_probe_of_a_good_camera_does_not_play():
    async with ScriptedServer(describing(SDP)) as server:
        found = await describe(RtspTarget(server.url), LOCAL)
    assert found.video.codec == "h264"
    assert found.server == "Scripted 1"
    assert not any(request.startswith(("SETUP", "PLAY")) for request in server.requests)


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=20))
def test_no_bytes_make_a_message_of_more_than_its_bounds(text, cuts):
    assembler = MessageAssembler()
    stream = b"RTSP/1.0 200 OK\r\nContent-Length: 40\r\n" + text
    at = 0
    with contextlib.suppress(MalformedMessage):
        for cut in cuts:
            message, used = assembler.feed(stream[at : at + cut])
            assert 0 <= used <= cut
            if message is not None:
                assert len(message.body) <= MAX_BODY_BYTES
                return
            at += cut
    assert len(assembler._text) <= MAX_HEADER_BYTES + 4


class FakeTransport:
    """Only for what a fuzzed parser may do to it."""

    def is_closing(self):
        return True

    def abort(self): ...


PIECES = st.one_of(
    st.binary(max_size=100),
    st.builds(lambda packet: b"$\x00" + len(packet).to_bytes(2, "big") + packet, st.binary(max_size=60)),
    st.just(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nabcd"),
    st.just(b"\r\n"),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=20), st.integers(0, 2**32))
def test_no_bytes_make_the_connection_raise_or_lose_a_packet(pieces, seed):
    """However the bytes are cut, the same packets and messages come out."""
    stream = b"".join(pieces)

    def outcome(cuts):
        seen, ended = [], []
        wire = RtspWire("cam:1", ReceiveClock(), lambda message: seen.append(message.body), ended.append)
        wire.transport = FakeTransport()
        wire.receivers[0x2400] = lambda view, start, stop, *_: seen.append(bytes(view[start:stop]))
        at = 0
        for cut in cuts:
            piece = stream[at : at + cut]
            wire.get_buffer(-1)[: len(piece)] = piece
            wire.buffer_updated(len(piece))
            at += cut
        return seen, [str(error) for error in ended]

    random_cuts = random.Random(seed)
    cuts = []
    while sum(cuts) < len(stream):
        cuts.append(random_cuts.randint(1, 40))
    whole, cut = outcome([len(stream)]), outcome(cuts)
    assert cut == whole

"""UDP only from the camera's own address, transports nobody asked for, and both event loops."""

import asyncio
import contextlib
import re
import socket

import pytest
import uvloop

from recorder.errors import CameraError, ErrorCode
from recorder.netguard import AddressPolicy
from recorder.rtsp import RtspSource, RtspTarget

from .collecting import Collector
from .packets import fragments, rtp
from .scripted_server import ScriptedServer, reply, usual

LOCAL = AddressPolicy.from_strings(["127.0.0.0/8"])
IDR = b"\x65\x88" + bytes(800)


class UdpCamera:
    """A script's state: where to send to, and a socket to send from."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.to = None

    async def script(self, reader, writer, request):
        match = re.search(r"client_port=(\d+)-(\d+)", request)
        if match:
            assert int(match[1]) % 2 == 0
            assert int(match[2]) == int(match[1]) + 1
            self.to = ("127.0.0.1", int(match[1]))
            transport = f"RTP/AVP/UDP;unicast;{match[0]};server_port={self.port}-{self.port + 1}"
            writer.write(reply(request, Session="1", Transport=transport))
        else:
            writer.write(usual(request))
        if request.startswith("PLAY"):
            self.play()

    def play(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            for number in range(20):
                stranger.sendto(rtp(number, 3000 * number, b"\x65\x88evil", marker=True, ssrc=666), self.to)
                self.socket.sendto(rtp(number, 3000 * number, IDR, marker=True), self.to)
                self.socket.sendto(b"\x80", self.to)


async def run_until(target, sink, condition, **options):
    task = asyncio.create_task(RtspSource(target, LOCAL, sink, **options).run())
    waiting = asyncio.create_task(sink.until(condition))
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_datagrams_of_strangers_do_not_count():
    camera = UdpCamera()
    sink = Collector()
    async with ScriptedServer(camera.script) as server:
        await run_until(RtspTarget(server.url, transport="udp"), sink, lambda sink: len(sink.video) == 20)
    camera.socket.close()
    assert {entry[0][4:] for entry in sink.video} == {IDR}
    assert sink.losses == []


async def test_silence_over_udp_hints_at_a_firewall():
    async def script(reader, writer, request):
        if request.startswith("SETUP"):
            writer.write(reply(request, Session="1", Transport="RTP/AVP;unicast"))
        else:
            writer.write(usual(request))

    async with ScriptedServer(script) as server:
        source = RtspSource(RtspTarget(server.url, transport="udp"), LOCAL, Collector(), stall_s=0.3)
        with pytest.raises(CameraError, match="firewall") as caught:
            await source.run()
    assert caught.value.code == ErrorCode.STALLED


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [("tcp", "RTP/AVP;unicast;client_port=5000-5001"), ("udp", "RTP/AVP/TCP;unicast;interleaved=0-1")],
)
async def test_transport_that_was_not_asked_for_is_refused(wanted, granted):
    async def script(reader, writer, request):
        if request.startswith("SETUP"):
            writer.write(reply(request, Session="1", Transport=granted))
        else:
            writer.write(usual(request))

    async with ScriptedServer(script) as server:
        with pytest.raises(CameraError) as caught:
            await RtspSource(RtspTarget(server.url, transport=wanted), LOCAL, Collector()).run()
    assert caught.value.code == ErrorCode.TRANSPORT_REFUSED


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_cameras_of_one_loop_do_not_mix_their_bytes(run):
    """They share a receive buffer; the packets of each come in torn pieces."""
    count, frames = 5, 60

    async def script(reader, writer, request):
        if request.startswith("SETUP"):
            writer.write(reply(request, Session="1", Transport="RTP/AVP/TCP;unicast;interleaved=4-5"))
            return
        writer.write(usual(request))
        if request.startswith("PLAY"):
            name = request.split("/")[3][0]
            packets = []
            for number in range(frames):
                pieces = fragments(b"\x65\x88" + name.encode() * 3000, 1000)
                for place, piece in enumerate(pieces):
                    made = rtp(number * len(pieces) + place, 3000 * number, piece, marker=place == len(pieces) - 1)
                    packets.append(b"$\x04" + len(made).to_bytes(2, "big") + made)
            stream = b"".join(packets)
            for at in range(0, len(stream), 777):
                writer.write(stream[at : at + 777])
                if at % 5 == 0:
                    await asyncio.sleep(0)

    async def main():
        sinks = [Collector() for _ in range(count)]
        async with ScriptedServer(script) as server:
            base = server.url.rsplit("/", 1)[0]
            targets = [RtspTarget(f"{base}/{number}") for number in range(count)]
            await asyncio.gather(
                *(
                    run_until(target, sink, lambda sink: len(sink.video) == frames)
                    for target, sink in zip(targets, sinks, strict=True)
                )
            )
        return sinks

    for number, sink in enumerate(run(main())):
        assert [entry[0][4:] for entry in sink.video] == [b"\x65\x88" + str(number).encode() * 3000] * frames
        assert sink.losses == []

"""A bare RTSP client over one blocking socket: sees what no library shows.

Sequence numbers, timestamps, answers as they were sent, and the exact bytes of packets.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Packet:
    channel: int
    sequence: int
    timestamp: int
    is_marked: bool
    payload: bytes
    arrived_ns: int
    """UTC."""


@dataclass(frozen=True)
class Report:
    channel: int
    utc_ns: int
    timestamp: int


class RawClient:
    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        host, port, _ = re.match(r"rtsp://([^:/]+):(\d+)(/.*)", url).groups()
        self.url = url
        self.socket = socket.create_connection((host, int(port)), timeout_s)
        self._received = b""
        self._sequence = 0
        self.session = ""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _read(self, size: int) -> bytes:
        while len(self._received) < size:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self._received += more
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def request(self, method: str, url: str | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
        """Status, headers (lower case) and body; interleaved packets before the answer are skipped."""
        self.send(method, url, **headers)
        while self._peek() == b"$":
            self._packet()
        return self.answer()

    def send(self, method: str, url: str | None = None, **headers: str) -> None:
        self._sequence += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self._sequence}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def _peek(self) -> bytes:
        first = self._read(1)
        self._received = first + self._received
        return first

    def answer(self) -> tuple[int, dict[str, str], str]:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        first, *rest = head.decode().strip().split("\r\n")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in rest}
        body = self._read(int(headers.get("content-length", 0))).decode()
        return int(first.split()[1]), headers, body

    def play(self, *tracks: str) -> dict[str, str]:
        """SETUP of the tracks (`track1` video, `track2` audio) on channels 0, 2; the headers of PLAY's answer."""
        for at, track in enumerate(tracks or ("track1",)):
            status, headers, _ = self.request(
                "SETUP", f"{self.url}/{track}", Transport=f"RTP/AVP/TCP;unicast;interleaved={2 * at}-{2 * at + 1}",
                **({"Session": self.session} if self.session else {}),
            )  # fmt: skip
            assert status == 200, status
            self.session = headers["session"].partition(";")[0]
        status, headers, _ = self.request("PLAY", Session=self.session)
        assert status == 200, status
        return headers

    def _packet(self) -> tuple[int, bytes]:
        mark, channel, size = struct.unpack(">BBH", self._read(4))
        assert mark == 0x24, f"no interleaved packet but {mark:#x}"
        return channel, self._read(size)

    def packets(self) -> Iterator[Packet | Report]:
        """Without end; raises `TimeoutError` when nothing comes, `EOFError` or `ConnectionError` at the end."""
        while True:
            channel, packet = self._packet()
            if channel & 1:
                ntp, timestamp = struct.unpack(">QI", packet[8:20])
                utc_ns = ((ntp >> 32) - 2_208_988_800) * 10**9 + ((ntp & 0xFFFFFFFF) * 10**9 >> 32)
                yield Report(channel, utc_ns, timestamp)
            else:
                second, sequence, timestamp = struct.unpack(">xBHI", packet[:8])
                yield Packet(channel, sequence, timestamp, bool(second & 0x80), packet[12:], time.time_ns())

    def frames(self, channel: int = 0) -> Iterator[list[Packet]]:
        """The packets of one frame after the other."""
        frame: list[Packet] = []
        for packet in self.packets():
            if isinstance(packet, Packet) and packet.channel == channel:
                frame.append(packet)
                if packet.is_marked:
                    yield frame
                    frame = []

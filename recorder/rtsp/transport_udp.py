"""RTP and RTCP of one track over unicast UDP: an even port for RTP and the next one for RTCP (RFC 3550 section 11).

Reads straight from the sockets, many datagrams a wake-up into the thread's receive buffer; asyncio's datagram
transport would make two objects and a callback of each. Only datagrams from the camera's address count.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

from recorder.errors import CameraError

from .failures import internal
from .rtp import RTP_HEAD, ReceiveClock
from .wire import RECEIVE_BYTES, receive_view

MAX_DATAGRAMS_PER_WAKE = 256
"""Then other cameras get their turn."""

RECEIVE_QUEUE_BYTES = 1024 * 1024
"""Asked of the kernel (it may give less): a keyframe must fit while the loop is busy elsewhere."""

_BIND_TRIES = 50


class UdpPair:
    """`on_rtp` and `on_rtcp` have the shape of `RtpReceiver.on_packet`; `on_error` hears of what they raise."""

    def __init__(
        self,
        camera_ip: str,
        clock: ReceiveClock,
        on_rtp: Callable[..., None],
        on_rtcp: Callable[..., None],
        on_error: Callable[[CameraError], None],
    ) -> None:
        self._camera_ip = camera_ip
        self._clock = clock
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._view = receive_view()
        self._buffer = self._view[:RECEIVE_BYTES]
        self._server_rtcp: tuple[str, int] | None = None
        self._rtp, self._rtcp = _bind_pair(socket.AF_INET6 if ":" in camera_ip else socket.AF_INET)
        self.port: int = self._rtp.getsockname()[1]
        self._loop.add_reader(self._rtp, self._read, self._rtp, on_rtp)
        self._loop.add_reader(self._rtcp, self._read, self._rtcp, on_rtcp)

    def _read(self, source: socket.socket, receive: Callable[..., None]) -> None:
        view, buffer, camera_ip = self._view, self._buffer, self._camera_ip
        receive_into, unpack = source.recvfrom_into, RTP_HEAD.unpack_from
        self._clock.now_ns = time.monotonic_ns()
        try:
            for _ in range(MAX_DATAGRAMS_PER_WAKE):
                length, sender = receive_into(buffer)
                if sender[0] == camera_ip:
                    receive(view, 0, length, *unpack(view, 0))
        except OSError:
            return  # nothing left, or an ICMP error: the packet watchdog judges
        except CameraError as err:
            self._on_error(err)
        except Exception as err:
            failure = internal(camera_ip)
            failure.__cause__ = err
            self._on_error(failure)

    def open_path(self, rtp_port: int, rtcp_port: int) -> None:
        """Send something first, so that a firewall or NAT between lets the camera's packets in."""
        self._server_rtcp = (self._camera_ip, rtcp_port)
        self._send(self._rtp, b"\x80\x00" + bytes(10), (self._camera_ip, rtp_port))
        self.send_rtcp(b"\x80\xc9\x00\x01" + bytes(4))

    def send_rtcp(self, packet: bytes) -> None:
        if self._server_rtcp is not None:
            self._send(self._rtcp, packet, self._server_rtcp)

    @staticmethod
    def _send(sender: socket.socket, packet: bytes, to: tuple[str, int]) -> None:
        try:
            sender.sendto(packet, to)
        except OSError:
            pass  # reports are a courtesy

    def close(self) -> None:
        for each in (self._rtp, self._rtcp):
            self._loop.remove_reader(each)
            each.close()


def _bind_pair(family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    """An even port and the next. Raises `OSError`."""
    for _ in range(_BIND_TRIES):
        first, second = _socket(family), _socket(family)
        try:
            first.bind(("", 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind(("", port + 1))
                return first, second
        except OSError:
            pass
        first.close()
        second.close()
    raise OSError("no pair of free UDP ports")


def _socket(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_QUEUE_BYTES)
    return made

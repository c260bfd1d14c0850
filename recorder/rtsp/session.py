"""The sequence of an RTSP session (RFC 2326 section 10): OPTIONS, DESCRIBE, SETUP, PLAY, keep-alive, TEARDOWN.

Used by `source` and `describe`. One object is one attempt; a redirect to the same host is followed within it.
"""

from __future__ import annotations

import ipaddress
import re

from recorder.errors import CameraError
from recorder.netguard import AddressPolicy, CameraAddress, IPAddress, parse_camera_url
from recorder.samples import SampleSink

from .auth import Authenticator
from .connection import RtspConnection
from .failures import bad_stream, no_video, redirected, refused_status, unknown_codec
from .messages import Message
from .rtp import ReceiveClock
from .sdp import SessionDescription, choose_tracks, join_control, parse_sdp
from .target import RtspTarget
from .tracks import TrackReceiver, Tracks
from .transport_udp import UdpPair

MAX_REDIRECTS = 3
TEARDOWN_TIMEOUT_S = 0.2
DEFAULT_SESSION_TIMEOUT_S = 60
"""Where the Session header gives none (RFC 2326 section 12.37)."""

MAX_KEEP_ALIVE_S = 30.0
_CHANNELS = re.compile(r"interleaved\s*=\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?", re.IGNORECASE)
_SERVER_PORT = re.compile(r"server_port\s*=\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?", re.IGNORECASE)
_TIMEOUT = re.compile(r"timeout\s*=\s*(\d{1,6})", re.IGNORECASE)


class RtspSession:
    """`open` connects and describes, `play` starts the packets, `close` ends it all."""

    def __init__(self, target: RtspTarget, policy: AddressPolicy, sink: SampleSink) -> None:
        self._target = target
        self._policy = policy
        self._sink = sink
        self._is_udp = target.transport == "udp"
        self._clock = ReceiveClock()
        self._pairs: list[UdpPair] = []
        self._rtcp_channels: dict[TrackReceiver, int] = {}
        self._session_id = ""
        self._aggregate_url = ""
        self._keep_alive_method = "OPTIONS"
        self.keep_alive_s = MAX_KEEP_ALIVE_S
        self._connection: RtspConnection | None = None
        self._tracks: Tracks | None = None

    @property
    def connection(self) -> RtspConnection:
        """Only while there is one: from `open` to `close`."""
        if self._connection is None:
            raise RuntimeError("the session isn't open")
        return self._connection

    @property
    def tracks(self) -> Tracks:
        """Only after `open`."""
        if self._tracks is None:
            raise RuntimeError("the session isn't described")
        return self._tracks

    @property
    def peer(self) -> str:
        """`host:port`, or the host alone while there is no connection; for messages."""
        return self._connection.peer if self._connection else self._target.address().host

    @property
    def server(self) -> str:
        """What the camera calls itself, as far as it has."""
        return self._connection.server if self._connection else ""

    @property
    def has_packets(self) -> bool:
        return self._tracks is not None and self._tracks.video.rtp.ssrc >= 0

    async def open(self) -> Tracks:
        """Connect and find out what there is. Raises `CameraError`."""
        address = self._target.address()
        ip = await self._policy.resolve(address.host, address.port)
        for _ in range(MAX_REDIRECTS + 1):
            reply = await self._describe(address, ip)
            if not 300 <= reply.status < 400:
                break
            address = self._redirect_address(address, ip, reply)
        else:
            raise redirected(self.connection.peer)
        connection = self.connection
        if reply.status != 200:
            raise refused_status(connection.peer, "DESCRIBE", reply.status, reply.reason)
        description = parse_sdp(reply.body)
        base = reply.header("content-base") or reply.header("content-location") or address.url
        if not base.lower().startswith(("rtsp://", "rtsps://")):
            base = address.url
        self._aggregate_url = join_control(base, description.control)
        self._tracks = self._choose(description, base, connection.peer)
        return self._tracks

    async def _describe(self, address: CameraAddress, ip: IPAddress) -> Message:
        if self._connection is not None:
            self._connection.close()
        authenticator = Authenticator(self._target.username, self._target.password)
        connection = self._connection = RtspConnection(address, authenticator, self._clock)
        await connection.connect(address, ip)
        options = await connection.request("OPTIONS", address.url)
        if "GET_PARAMETER" in options.header("public").upper():
            self._keep_alive_method = "GET_PARAMETER"
        return await connection.request("DESCRIBE", address.url, {"Accept": "application/sdp"})

    def _redirect_address(self, old: CameraAddress, ip: IPAddress, reply: Message) -> CameraAddress:
        """Only to the same host, and never from TLS to plain text. Raises `CameraError` (`redirected`)."""
        refusal = redirected(self.connection.peer)
        try:
            new = parse_camera_url(reply.header("location"))
        except CameraError:
            raise refusal from None
        if new.host.lower() != old.host.lower():
            try:
                if ipaddress.ip_address(new.host) != ip:
                    raise refusal
            except ValueError:
                raise refusal from None
        if new.scheme not in ("rtsp", "rtsps") or (old.scheme == "rtsps" and new.scheme == "rtsp"):
            raise refusal
        return new

    def _choose(self, description: SessionDescription, base: str, peer: str) -> Tracks:
        video, audio, ignored = choose_tracks(description)
        if video is None:
            unread = [track for track in description.tracks if track.kind == "video" and track.is_receivable]
            raise unknown_codec(peer, unread[0].encoding) if unread else no_video(peer)
        if video.format.get("sprop-max-don-diff", "0") != "0" or video.format.get("packetization-mode") == "2":
            raise unknown_codec(peer, f"{video.encoding} in interleaved order")
        for track in (video, audio):
            if track is not None:
                track.control = join_control(base, track.control)
        tracks = Tracks(peer, video, audio, self._sink, self._clock, self._is_udp)
        tracks.ignored += ignored
        return tracks

    async def play(self) -> None:
        """SETUP of each track, then PLAY. Packets flow from here on. Raises `CameraError`."""
        connection, tracks = self.connection, self.tracks
        await self._setup(tracks.video, 0)
        if tracks.audio is not None:
            try:
                await self._setup(tracks.audio, 2)
            except CameraError:
                if connection.ended.done():
                    raise
                tracks.leave_out_audio("(refused by the camera)")
        tracks.announce()
        reply = await connection.request("PLAY", self._aggregate_url, {**self._session_header(), "Range": "npt=0.000-"})
        if reply.status != 200:
            raise refused_status(connection.peer, "PLAY", reply.status, reply.reason)

    async def _setup(self, track: TrackReceiver, channel: int) -> None:
        if self._is_udp:
            await self._setup_udp(track)
        else:
            await self._setup_tcp(track, channel)

    async def _setup_tcp(self, track: TrackReceiver, channel: int) -> None:
        reply = await self._request_setup(track, f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}")
        transport = reply.header("transport")
        rtp = channel
        match = _CHANNELS.search(transport)
        if match and int(match[1]) < 256:
            rtp = int(match[1])
        rtcp = int(match[2]) if match and match[2] and int(match[2]) < 256 else (rtp + 1) & 0xFF
        receivers = self.connection.wire.receivers
        if 0x2400 | rtp in receivers or 0x2400 | rtcp in receivers:
            raise bad_stream(self.connection.peer, "gave two tracks the same channel")
        receivers[0x2400 | rtcp] = track.on_rtcp
        receivers[0x2400 | rtp] = track.rtp.on_packet
        self._rtcp_channels[track] = rtcp

    async def _setup_udp(self, track: TrackReceiver) -> None:
        camera_ip = self.connection.camera_ip
        try:
            pair = UdpPair(camera_ip, self._clock, track.rtp.on_packet, track.on_rtcp, self.connection.end)
        except OSError as err:
            raise bad_stream(self.connection.peer, "was not asked for video: no UDP port is free") from err
        self._pairs.append(pair)
        track_pair_ports = f"{pair.port}-{pair.port + 1}"
        reply = await self._request_setup(track, f"RTP/AVP;unicast;client_port={track_pair_ports}")
        match = _SERVER_PORT.search(reply.header("transport"))
        if match and 0 < int(match[1]) < 65535:
            rtp_port = int(match[1])
            rtcp_port = int(match[2]) if match[2] and 0 < int(match[2]) < 65536 else rtp_port + 1
            pair.open_path(rtp_port, rtcp_port)
        self._rtcp_channels[track] = len(self._pairs) - 1

    async def _request_setup(self, track: TrackReceiver, transport: str) -> Message:
        reply = await self.connection.request(
            "SETUP", track.control, {"Transport": transport, **self._session_header()}
        )
        if reply.status != 200:
            raise refused_status(self.connection.peer, "SETUP", reply.status, reply.reason)
        granted = reply.header("transport").lower()
        if ("interleaved" in granted) if self._is_udp else ("client_port" in granted or "udp" in granted):
            raise refused_status(self.connection.peer, "SETUP", 461, "")  # it gives what nobody asked for
        session = reply.header("session")
        if session:
            self._session_id = session.split(";", 1)[0].strip()[:200]
            match = _TIMEOUT.search(session)
            timeout_s = int(match[1]) if match else DEFAULT_SESSION_TIMEOUT_S
            self.keep_alive_s = max(1.0, min(MAX_KEEP_ALIVE_S, timeout_s * 0.4))
        return reply

    def _session_header(self) -> dict[str, str]:
        return {"Session": self._session_id} if self._session_id else {}

    def send_keep_alive(self) -> None:
        """Without waiting: packets show that the camera lives, the reply only counts when it asks for more."""
        self.connection.send(
            self._keep_alive_method, self._aggregate_url, self._session_header(), self._on_keep_alive_reply
        )

    def _on_keep_alive_reply(self, reply: Message) -> None:
        if reply.status == 401:
            self.connection.accept_challenge(reply)
            self.keep_alive_s = max(1.0, self.keep_alive_s / 2)  # a nonce that lives shorter than our interval
        elif reply.status in (405, 501, 551):
            self._keep_alive_method = "OPTIONS"

    def send_reports(self) -> None:
        """RTCP receiver reports of all tracks."""
        for track, channel in self._rtcp_channels.items():
            packet = track.rtcp_report()
            if packet is None:
                continue
            if self._is_udp:
                self._pairs[channel].send_rtcp(packet)
            else:
                head = bytes((0x24, channel)) + len(packet).to_bytes(2, "big")
                self.connection.wire.send(head + packet)

    async def close(self) -> None:
        """End the session, with TEARDOWN while there is a connection: the camera frees the viewer's place."""
        connection, self._connection = self._connection, None
        for pair in self._pairs:
            pair.close()
        self._pairs.clear()
        if connection is None:
            return
        connection.wire.receivers.clear()
        try:
            if self._session_id:
                await connection.say_goodbye(self._aggregate_url, self._session_header(), TEARDOWN_TIMEOUT_S)
        finally:
            connection.close()

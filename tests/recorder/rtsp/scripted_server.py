"""A server of any behaviour: the far side of hostile and odd conversations, on a real socket.

A script is `async def script(reader, writer, request)`, called with each request's head as text; what it does
with the connection is its own business.
"""

import asyncio
import contextlib

SDP = (
    "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LACL2gUH6EAAADAEAAAAeDEKkkgA==,aM4PLIA=\r\n"
    "a=control:video\r\n"
)


def cseq(request):
    for line in request.split("\r\n"):
        if line.lower().startswith("cseq:"):
            return line.split(":")[1].strip()
    return "0"


def reply(request, status="200 OK", body="", **headers):
    lines = [f"RTSP/1.0 {status}", f"CSeq: {cseq(request)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def usual(request, sdp=SDP):
    """What a well-behaved camera answers."""
    method = request.split(" ", 1)[0]
    if method == "DESCRIBE":
        return reply(request, body=sdp, Content_Type="application/sdp", Server="Scripted 1")
    if method == "SETUP":
        return reply(request, Session="77;timeout=60", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
    return reply(request, Public="OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN")


class ScriptedServer:
    """`requests` keeps every head; `url` is what to connect to."""

    def __init__(self, script, context=None):
        self._script = script
        self._context = context
        self._open = set()
        self.requests = []
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'rtsps' if self._context else 'rtsp'}://127.0.0.1:{self.port}/live"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self._open.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    first = await reader.readexactly(1)
                    if first == b"$":
                        head = await reader.readexactly(3)
                        await reader.readexactly(int.from_bytes(head[1:], "big"))
                        continue
                    head = first + await reader.readuntil(b"\r\n\r\n")
                    self.requests.append(head.decode())
                    await self._script(reader, writer, self.requests[-1])
                    await writer.drain()
        finally:
            self._open.discard(task)
            writer.transport.abort()

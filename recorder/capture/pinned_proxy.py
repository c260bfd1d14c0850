"""An HTTP proxy inside the libav child that knows one host: whatever a camera redirects or links to, nothing
else is reached.

Serves `GET http://host:port/...` and `CONNECT host:port` for the camera's own name or address and connects to
the one address that was checked. Bounded headers, a thread a connection, gone with the process.
"""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

MAX_HEAD_BYTES = 16384
TIMEOUT_S = 15.0
MAX_CONNECTIONS = 16
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class PinnedProxy:
    def __init__(self, host: str, port: int, ip: str) -> None:
        self._allowed = {(host.lower(), port), (ip, port)}
        self._target = (ip, port)
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.has_refused = False
        """Somebody wanted to go elsewhere."""
        self.was_refused = False
        """The camera refused a connection."""

    def start(self) -> int:
        """Listen on the loopback; returns the port."""
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(listener,), name="proxy", daemon=True).start()
        return listener.getsockname()[1]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            if not self._slots.acquire(blocking=False):
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                client.settimeout(TIMEOUT_S)
                self._forward(client)
        except (OSError, ValueError):
            pass
        finally:
            self._slots.release()

    def _forward(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = client.recv(4096)
            if not received or len(head) > MAX_HEAD_BYTES:
                return
            head += received
        line, _, rest = head.partition(b"\r\n")
        method, target, version = line.decode("latin-1").split(" ", 2)
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = parts.port or 80
        host = (parts.hostname or "").lower()
        if (host, port) not in self._allowed:
            self.has_refused = True
            client.sendall(REFUSAL)
            return
        try:
            camera = socket.create_connection(self._target, TIMEOUT_S)
        except ConnectionRefusedError:
            self.was_refused = True
            raise
        with camera:
            camera.settimeout(TIMEOUT_S)
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                # One request a connection, so that none gets past the check.
                headers = [
                    header
                    for header in rest.split(b"\r\n")
                    if not header.lower().startswith((b"connection:", b"proxy-"))
                ]
                first = f"{method} {path} {version}\r\nConnection: close\r\n".encode("latin-1")
                camera.sendall(first + b"\r\n".join(headers))
            if method == "CONNECT":
                threading.Thread(target=_pump, args=(client, camera), daemon=True).start()
            _pump(camera, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while received := source.recv(65536):
            target.sendall(received)
    except OSError:
        pass
    finally:
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

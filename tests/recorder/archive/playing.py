"""Foreign players as judges: PyAV, Debian's ffmpeg and ffprobe, and a small HTTP server with ranges for them."""

from __future__ import annotations

import re
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av

from recorder.archive.body import Body


def write_body(path, body):
    with path.open("wb") as file:
        for piece in body.iter_bytes():
            file.write(piece)
    return path


def complaints_of(source):
    """What ffprobe and ffmpeg warn about when they read everything of `source`."""
    complaints = ""
    for command in (
        ["ffprobe", "-v", "warning", "-show_packets", "-show_format", str(source)],
        ["ffmpeg", "-v", "warning", "-nostdin", "-i", str(source), "-map", "0", "-f", "null", "-"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        complaints += done.stderr + (f"exit code {done.returncode}" if done.returncode else "")
    return complaints


def packets_of(source, kind="video", **options):
    """(pts, dts, bytes) of each packet of the first stream of a kind."""
    with av.open(str(source), options=options) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts, packet.dts, bytes(packet)) for packet in container.demux(stream) if packet.size]


def frame_times_of(source):
    """Presentation times in seconds of the pictures that a player shows."""
    with av.open(str(source)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


@contextmanager
def serve(answers):
    """Serves `answers` (path to bytes or `Body`) on a free port of the loopback; yields the base URL."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answer = answers.get(self.path)
            if answer is None:
                self.send_error(404)
                return
            body = answer if isinstance(answer, Body) else Body([answer])
            first, stop, status = 0, body.length, 200
            if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                first, status = int(match[1]), 206
                stop = min(stop, int(match[2]) + 1) if match[2] else stop
            self.send_response(status)
            kind = "application/vnd.apple.mpegurl" if self.path.endswith("m3u8") else "video/mp4"
            self.send_header("Content-Type", "text/html" if self.path.endswith("html") else kind)
            self.send_header("Content-Length", str(stop - first))
            self.send_header("Accept-Ranges", "bytes")
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{body.length}")
            self.end_headers()
            try:
                for piece in body.iter_bytes(first, stop):
                    self.wfile.write(piece)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

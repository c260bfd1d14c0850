"""`python -m recorder.media --home VMS_HOME --bind ADDRESS --port 5011`: the media service as a process."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import uvicorn

from recorder.media.asgi import create_app
from recorder.media.ffmpeg_child import FfmpegMissing, find_ffmpeg
from recorder.media.websocket_protocol import FanoutWebSocketProtocol

DEFAULT_PORT = 5011
MAX_MESSAGE_BYTES = 4096
"""Viewers have nothing to say."""
GRACE_S = 3
log = logging.getLogger("recorder.media")


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """An answer that is cut in the middle is meant to end so: the browser must see that it isn't whole."""
    return "without completing response" not in record.getMessage()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m recorder.media", description=__doc__)
    parser.add_argument("--home", default=os.environ.get("VMS_HOME") or "var", help="VMS_HOME")
    parser.add_argument("--bind", default=os.environ.get("VMS_BIND") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("VMS_MEDIA_PORT") or DEFAULT_PORT))
    parser.add_argument("--certificate", help="PEM; with it the service speaks HTTPS")
    parser.add_argument("--certificate-key", help="PEM")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        app = create_app(Path(options.home))
    except OSError as err:
        print(f"media: {options.home} can't be used: {err.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        find_ffmpeg()
    except FfmpegMissing as err:
        log.warning("%s Without it H.265 and G.711 can't be shown in browsers that don't know them.", err)
    config = uvicorn.Config(
        app,
        host=options.bind,
        port=options.port,
        loop="uvloop",
        ws=FanoutWebSocketProtocol,
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        lifespan="on",
        access_log=False,
        log_level="warning",  # at "info" uvicorn logs addresses, and with them tokens
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.certificate_key,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_a_line)
    try:
        socket = config.bind_socket()
    except SystemExit:  # uvicorn has logged the reason as it sees it
        print(  # noqa: T201
            f"media: port {options.port} on {options.bind} is in use or not allowed: stop what uses it (ss -ltnp), or "
            "choose another port with VMS_MEDIA_PORT.",
            file=sys.stderr,
        )
        return 1
    uvicorn.Server(config).run(sockets=[socket])
    return 0


if __name__ == "__main__":
    sys.exit(main())

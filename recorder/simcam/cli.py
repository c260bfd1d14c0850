"""The command line of the simulator; `manage.py simcam` and `python -m recorder.simcam` share it.

When the cameras can be reached it prints one JSON line, `{"ready": true, "port": ..., "urls": [[main,
sub], ...]}`, without passwords. Ends by SIGTERM, SIGINT, or the end of standard input where `--control -`
is given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import control
from .auth import Credentials
from .clip import Clip
from .clipfile import ClipError, load_clip
from .encode import ClipLibrary, ClipSettings
from .faults import LASTING, SINGLE, parse_fault
from .ledger import Ledger
from .scenes import SCENES
from .sdp import QUIRKS
from .server import SimCamera, SimServer

logger = logging.getLogger(__name__)

MAX_CAMERAS = 1024
SUB_KBIT_S = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cameras", type=_camera_count, default=4, metavar="N", help="how many (default 4)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--port", type=int, default=8554, help="RTSP port; 0 takes a free one (default 8554)")
    add("--clip", type=Path, action="append", default=[], metavar="FILE",
        help="send this file, any container with H.264 or H.265, as it is; repeat for more cameras")  # fmt: skip
    add("--sub-clip", type=Path, action="append", default=[], metavar="FILE",
        help="the sub stream of the --clip at the same place (default: the same file)")  # fmt: skip
    add(
        "--stamp",
        action="store_true",
        help="stamp the frames of --clip files too (generated ones always are)",
    )
    add("--scene", action="append", default=[], choices=list(SCENES), help="only these scenes, in this order")
    add("--codec", choices=("h264", "h265"), default="h264")
    add("--audio", choices=("aac", "g711", "pcma", "pcmu", "none"), default="aac", help="g711 is mu-law")
    add("--fps", type=_positive, default=15.0)
    add("--size", type=_size, default=(1280, 720), metavar="WxH", help="main stream (default 1280x720)")
    add("--sub-size", type=_size, default=(640, 360), metavar="WxH", help="sub stream (default 640x360)")
    add("--kbit-s", type=int, default=1600, help="bit rate of the main stream (default 1600)")
    add("--gop-s", type=_positive, default=2.0, help="seconds from keyframe to keyframe (default 2)")
    add("--b-frames", type=int, choices=range(5), default=0)
    add("--user", help="user name; needs --password-file")
    add("--password-file", type=Path, help="holds the password; its first line counts")
    add("--auth", choices=("basic", "digest", "digest-sha256"), default="digest")
    add("--fault", action="append", default=[], metavar="SPEC",
        help=f"CAMERA[/STREAM]:NAME [ARGUMENT][@START_S[,LENGTH_S]]: {', '.join([*LASTING, *SINGLE])}")  # fmt: skip
    add("--quirk", action="append", default=[], choices=sorted(QUIRKS), help="how the cameras' SDP differs")
    add("--initial-timestamp", type=int, help="first RTP timestamp of the video (near 2**32 it wraps)")
    add("--session-timeout", type=_positive, default=60.0, metavar="S")
    add("--ledger", type=Path, metavar="FILE", help="write a line for every frame sent")
    add("--control", metavar="PATH", help="unix socket that takes faults while running; - is standard input")
    add("--cache", type=Path, metavar="DIR", help="where generated clips are kept (default VMS_HOME/simcam)")


def _camera_count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MAX_CAMERAS:
        raise argparse.ArgumentTypeError(f"from 1 to {MAX_CAMERAS}")
    return count


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    size = int(width), int(height)
    if size[0] % 2 or size[1] % 2 or not (64 <= size[0] <= 7680 and 64 <= size[1] <= 4320):
        raise argparse.ArgumentTypeError("WIDTHxHEIGHT, even, from 64x64 to 7680x4320")
    return size


def default_cache() -> Path:
    home = os.environ.get("VMS_HOME")
    return Path(home) / "simcam" if home else Path(tempfile.gettempdir()) / f"simcam-{os.getuid()}"


def build_cameras(options: argparse.Namespace, library: ClipLibrary) -> list[SimCamera]:
    """Makes or loads the clips: may take seconds. Raises `ClipError`, `OSError`."""
    credentials = None
    if options.user:
        if options.password_file is None:
            raise ClipError("--user needs --password-file")
        password = options.password_file.read_text().split("\n", 1)[0]
        credentials = Credentials(options.user, password, options.auth)
    pairs = _file_clips(options) if options.clip else _scene_clips(options, library)
    cameras = []
    for number in range(options.cameras):
        main, sub = pairs[number % len(pairs)]
        cameras.append(
            SimCamera({"main": main, "sub": sub}, credentials, frozenset(options.quirk), options.initial_timestamp)
        )
    return cameras


def _file_clips(options: argparse.Namespace) -> list[tuple[Clip, Clip]]:
    def load(path: Path) -> Clip:
        clip = load_clip(path, is_stamped=options.stamp, has_audio=options.audio != "none")
        for notice in clip.notices:
            logger.warning(notice)
        return clip

    mains = [load(path) for path in options.clip]
    subs = [load(path) for path in options.sub_clip]
    return [(main, subs[at] if at < len(subs) else main) for at, main in enumerate(mains)]


def _scene_clips(options: argparse.Namespace, library: ClipLibrary) -> list[tuple[Clip, Clip]]:
    scenes = (options.scene or list(SCENES))[: options.cameras]
    wanted = []
    for scene in scenes:
        for size, kbit_s in ((options.size, options.kbit_s), (options.sub_size, SUB_KBIT_S)):
            wanted.append(
                ClipSettings(
                    scene,
                    size[0],
                    size[1],
                    options.codec,
                    options.fps,
                    options.gop_s,
                    options.b_frames,
                    kbit_s,
                    options.audio,
                )
            )
    clips = library.make(wanted)
    return list(zip(clips[::2], clips[1::2], strict=True))


async def serve(options: argparse.Namespace) -> int:
    """Runs until it is told to stop; the exit code."""
    started = time.monotonic()
    faults = [parse_fault(text) for text in options.fault]
    library = ClipLibrary(options.cache or default_cache())
    cameras = await asyncio.to_thread(build_cameras, options, library)
    ledger = Ledger(options.ledger) if options.ledger else None
    server = SimServer(
        options.host, options.port, cameras,
        ledger=ledger, session_timeout_s=options.session_timeout, switch_clip=library.switch,
    )  # fmt: skip
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await server.start()
    listening = None
    try:
        for fault in faults:
            server.plan(fault)
        if options.control == "-":
            reading = asyncio.ensure_future(control.serve_standard_input(server))
            reading.add_done_callback(lambda _: stopping.set())
        elif options.control:
            listening = await control.listen(server, Path(options.control))
        _announce(server, len(cameras), time.monotonic() - started)
        await stopping.wait()
    finally:
        if listening is not None:
            listening.close()
        await server.stop()
        if ledger is not None:
            ledger.close()
    return 0


def _announce(server: SimServer, count: int, seconds: float) -> None:
    urls = [[server.url(number, "main"), server.url(number, "sub")] for number in range(1, count + 1)]
    facts: dict[str, Any] = {"ready": True, "port": server.port, "seconds": round(seconds, 2), "urls": urls}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def run(options: argparse.Namespace) -> int:
    """With uvloop where it is installed. Errors a person can mend are one line on standard error."""
    try:
        import uvloop

        new_loop: Any = uvloop.new_event_loop
    except ImportError:
        new_loop = asyncio.new_event_loop
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(serve(options))
    except (ClipError, ValueError, OSError) as err:
        sys.stderr.write(f"simcam: {err}\n")
        return 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simcam", description="Simulated IP cameras over RTSP")
    add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    return run(parser.parse_args(arguments))

"""A plant of 16 simulated cameras of every kind, recorded by the whole product, and what must hold for its footage.

Shared by all tests of this folder: one product for the session (see conftest). No test touches the plant's own
cameras; those that change cameras bring spare ones and prove that the plant lost nothing meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import psutil

from tests.oracle.footage import Footage, read_footage
from tests.oracle.verdict import find_sound, judge, read_ledger
from tests.product import Product, wait_for
from tests.recorder.simcam.fixtures import SimcamProcess

IS_LONG = os.environ.get("HERON_LONG") == "1"
RECORDED_S = 600 if IS_LONG else 75
"""How much of every camera must be exact: beyond the length of a segment (60 s)."""

SMALL = ("--size", "320x180", "--sub-size", "160x90", "--kbit-s", "200", "--gop-s", "1", "--fps", "15",
         "--scene", "car-park", "--scene", "lobby")  # fmt: skip
KINDS: dict[str, tuple[str, ...]] = {
    "H.264 AAC": ("--codec", "h264", "--audio", "aac"),
    "H.264 B-frames G.711": ("--codec", "h264", "--audio", "g711", "--b-frames", "2"),
    "H.265 B-frames AAC": ("--codec", "h265", "--audio", "aac", "--b-frames", "2"),
    "H.265 mute": ("--codec", "h265", "--audio", "none"),
}
CAMERAS_A_KIND = 4
"""Half of them over TCP, half over UDP; the first two with a sub stream."""
G711_UNIT_BYTES = 160


@dataclass(frozen=True)
class Camera:
    id: str
    name: str
    ledger: Path
    number: int
    """From 1, within its simulator."""
    streams: tuple[str, ...]
    has_g711: bool


@dataclass
class Plant:
    product: Product
    cameras: list[Camera]
    started_s: float
    first_runs: dict[str, str | None]
    """The runs in which the plant's streams were being recorded when all were."""

    def files(self, camera: Camera, stream: str = "main") -> list[Path]:
        """Closed segments, oldest first."""
        return sorted((self.product.home / "volumes/main" / camera.id / stream).glob("*/*/*.mp4"))

    @contextmanager
    def loses_nothing(self) -> Iterator[None]:
        """What happens in the block must not cost any camera of the plant a frame, nor a second run."""
        runs = self.runs()
        start_ns = time.time_ns()
        yield
        end_ns = time.time_ns() + 1_000_000_000
        for camera in self.cameras:
            wait_for_ledger(camera.ledger, end_ns + 500_000_000)
            check_clip(self.product, camera, start_ns, end_ns)
        assert self.runs() == runs

    def runs(self) -> dict[str, str | None]:
        """The run that each stream of the plant is recorded in: a new one means that the camera was connected anew."""
        mine = {camera.id for camera in self.cameras}
        return {stream["key"]: stream["run"] for stream in capture_status(self.product) if stream["camera"] in mine}


def add_camera(product: Product, name: str, main_url: str, **settings: Any) -> str:
    return product.request("POST", "/api/v1/cameras/", {"name": name, "main_url": main_url, **settings})["id"]


def remove_camera(product: Product, camera: str) -> None:
    product.request("DELETE", f"/api/v1/cameras/{camera}/")


def camera_state(product: Product, camera: str) -> str:
    return product.get(f"/api/v1/cameras/{camera}/")["state"]


def wait_recording(product: Product, *cameras: str, timeout_s: float = 30) -> None:
    def are_recording() -> bool:
        states = {camera["id"]: camera["state"] for camera in product.cameras()}
        return all(states[camera] == "recording" for camera in cameras)

    wait_for(are_recording, timeout_s, "all are recording")


def capture_status(product: Product) -> list[dict[str, Any]]:
    """All streams as the shards' status files show them, without the product's own reader."""
    paths = sorted((product.home / "run").glob("status-*.json"))
    return [stream for path in paths for stream in json.loads(path.read_text())["streams"]]


def processes_of(product: Product, part: str = "") -> list[psutil.Process]:
    """Every living process of the installation (its home stands in argument or environment) with `part` in argv."""
    found = []
    for process in psutil.process_iter():
        try:
            argv = " ".join(process.cmdline())
            is_ours = str(product.home) in argv or process.environ().get("VMS_HOME") == str(product.home)
            if is_ours and part in argv and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span_query(start_ns: int, end_ns: int, stream: str = "main") -> str:
    return f"from={iso(start_ns)}&to={iso(end_ns)}&stream={stream}"


@contextmanager
def fetched_clip(product: Product, camera: str, start_ns: int, end_ns: int, stream: str = "main") -> Iterator[Path]:
    path = f"/api/v1/cameras/{camera}/clip.mp4?{span_query(start_ns, end_ns, stream)}"
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(product.request("GET", path, raw=True))
        file.flush()
        yield Path(file.name)


def wait_for_ledger(ledger: Path, utc_ns: int) -> None:
    """Until the simulator has written down what it sent before `utc_ns`."""

    def last_ns() -> int:
        with ledger.open("rb") as file:
            file.seek(max(0, ledger.stat().st_size - 4096))
            lines = file.read().split(b"\n")[1:-1]
        return json.loads(lines[-1])["utc_ns"] if lines else 0

    wait_for(lambda: last_ns() >= utc_ns, 30, "the ledger is written")


def check_clip(product: Product, camera: Camera, start_ns: int, end_ns: int, stream: str = "main") -> None:
    """`clip.mp4` of the span holds every picture and sound unit sent in it, byte for byte. The ledger reaches there."""

    def covered() -> Footage | None:
        with fetched_clip(product, camera.id, start_ns, end_ns, stream) as path:
            footage = read_footage(path)
            stamps = [frame.utc_ns for frame in footage.frames if frame.utc_ns]
            # Two B-frames are sent before the picture that is shown last.
            if stamps and max(stamps) > end_ns - 500_000_000:
                check_exact(camera, stream, footage, [path])
                assert min(stamps) <= start_ns + 200_000_000
                return footage
        return None

    wait_for(covered, 10, f"{camera.name}: the clip reaches its end")


def check_exact(camera: Camera, stream: str, footage: Footage, files: list[Path]) -> None:
    """Pictures in the order and with the bytes of the ledger, and not one number left out; sound likewise.

    A camera that nobody watches doesn't count on: that it was watched all the time shows in `Plant.runs`.
    """
    sent, sent_sound = read_ledger(camera.ledger, f"{camera.number}/{stream}")
    verdict = judge(footage.frames, sent)
    assert verdict.is_exact, f"{camera.name} {stream}: {verdict}"
    counted = judge(footage.frames)
    assert not counted.lost, f"{camera.name} {stream}: {counted}"
    if not sent_sound:
        assert not footage.units
        return
    hashes = [unit.sha256 for unit in sent_sound]
    if not camera.has_g711:
        assert find_sound([unit.sha256 for unit in footage.units], hashes) is not None, f"{camera.name}: sound differs"
        return
    # Players cut PCM where they like: compared as one row of bytes, in the camera's units.
    sound = b"".join(map(read_sound, files))
    units = [
        hashlib.sha256(sound[at : at + G711_UNIT_BYTES]).hexdigest() for at in range(0, len(sound), G711_UNIT_BYTES)
    ]
    assert len(sound) % G711_UNIT_BYTES == 0
    assert find_sound(units, hashes) is not None, f"{camera.name}: sound differs"


def whole_footage(files: list[Path]) -> Footage:
    """Several segments as one, oldest first."""
    parts = [read_footage(path) for path in files]
    frames = [frame for part in parts for frame in part.frames]
    units = [unit for part in parts for unit in part.units]
    return Footage(parts[0].codec, parts[0].width_px, parts[0].height_px, frames, units)


def read_sound(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return b"".join(bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size)


def start_simulators(directory: Path, kinds: dict[str, tuple[str, ...]], cameras: int) -> dict[str, SimcamProcess]:
    started = {}
    for kind, options in kinds.items():
        place = directory / kind.replace(" ", "-")
        place.mkdir()
        started[kind] = SimcamProcess(place, cameras, *SMALL, *options)
    return started

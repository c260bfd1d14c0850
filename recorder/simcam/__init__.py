"""Simulated IP cameras over RTSP: the demo's cameras, the tests' cameras and the benchmark's source.

`SimServer` for a loop of one's own, `python -m recorder.simcam` or `manage.py simcam` for a process.
Imports nothing of the product.
"""

from .auth import Credentials
from .clip import AudioTrack, Clip, ClipFrame
from .faults import Fault, parse_fault
from .server import SimCamera, SimServer

__all__ = ["AudioTrack", "Clip", "ClipFrame", "Credentials", "Fault", "SimCamera", "SimServer", "parse_fault"]

"""What goes wrong on request: the names of the faults, their notation, and what is wrong with a camera
at the moment.

Notation: `[CAMERA[/STREAM]:]NAME [ARGUMENT...][@START_S[,LENGTH_S]]`, for example `2:stall@30s,10s` or
`1/main:size 640x360`; `*` is every camera. A *lasting* fault holds until `resume`; a *single* one happens
once. Used by the command line, the control line and tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LASTING = {
    "stall": "stops sending, answers requests",
    "silent": "as stall: answers everything, sends no media",
    "half-open": "accepts connections, never answers, sends nothing",
    "401": "refuses every password",
    "404": "knows no stream",
    "453": "not enough bandwidth: too many viewers",
    "503": "service unavailable",
    "garbage": "random bytes between the interleaved packets",
    "garbage-nal": "well-formed RTP with broken NAL units",
    "no-keyframe": "leaves keyframes out",
    "loss": "loses packets: loss PROBABILITY",
    "reorder": "swaps neighbouring packets: reorder PROBABILITY",
    "drop-audio": "sends no sound",
    "drop-video": "sends no picture",
    "freeze": "repeats one picture",
    "giant-length": "answers with a Content-Length of 4 GiB, and with it breaks into running streams",
    "endless-header": "answers with a header that never ends",
    "slow": "answers slowly: slow [BYTES_PER_S]",
}
SINGLE = {
    "reset": "resets connections (RST)",
    "close": "closes connections (FIN)",
    "timestamp": "timestamps jump: timestamp FRAME:TICKS...",
    "wrap": "timestamps continue SECONDS before 2**32: wrap [SECONDS]",
    "codec": "another codec; connections are closed: codec h264|h265",
    "size": "another size, in-band: size WxH [new-session]",
    "resume": "ends lasting faults: resume [NAME]",
}
_PLACE = re.compile(r"^(?P<camera>\*|\d+)(/(?P<stream>\w+))?$")
_TIMES = re.compile(r"^(?P<fault>[^@]+)(@(?P<start>[\d.]+)s?(,(?P<length>[\d.]+)s?)?)?$")


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    arguments: tuple[str, ...] = ()
    camera: int | None = None
    """From 1; None is every camera."""
    stream: str | None = None
    start_s: float = 0.0
    length_s: float | None = None


@dataclass(slots=True)
class FaultState:
    """The lasting faults of one stream: name to arguments."""

    active: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.active

    @property
    def is_mute(self) -> bool:
        """No media may be sent."""
        active = self.active
        return bool(active) and ("stall" in active or "silent" in active or "half-open" in active)

    def number(self, name: str, default: float) -> float:
        arguments = self.active.get(name)
        return float(arguments[0]) if arguments else default


def parse_fault(text: str) -> Fault:
    """Raises `ValueError` with a sentence that names what is wrong."""
    place, separator, rest = text.strip().partition(":")
    matched = _PLACE.match(place) if separator else None
    if matched is None:
        rest, camera, stream = text.strip(), None, None
    else:
        camera = None if matched["camera"] == "*" else int(matched["camera"])
        stream = matched["stream"]
    times = _TIMES.match(rest)
    words = times["fault"].replace(",", " ").split() if times else []
    if times is None or not words:
        raise ValueError(f"not a fault: {text!r}")
    name, arguments = words[0], tuple(words[1:])
    if name not in LASTING and name not in SINGLE:
        raise ValueError(f"no fault is called {name!r}; there are {', '.join([*LASTING, *SINGLE])}")
    _check(name, arguments)
    length = float(times["length"]) if times["length"] else None
    return Fault(name, arguments, camera, stream, float(times["start"] or 0), length)


def _check(name: str, arguments: tuple[str, ...]) -> None:
    if name in ("loss", "reorder") and not (arguments and 0 <= float(arguments[0]) <= 1):
        raise ValueError(f"{name} needs a probability from 0 to 1")
    if name == "timestamp":
        parse_jumps(arguments)
    if name == "size" and not (arguments and re.fullmatch(r"\d+x\d+", arguments[0])):
        raise ValueError("size needs WIDTHxHEIGHT")
    if name == "codec" and arguments[:1] not in (("h264",), ("h265",)):
        raise ValueError("codec needs h264 or h265")


def parse_jumps(arguments: tuple[str, ...]) -> list[tuple[int, int]]:
    """`10:+90000` is: before the tenth frame from now the timestamps jump forward by a second."""
    jumps = []
    for argument in arguments:
        frame, _, ticks = argument.partition(":")
        jumps.append((int(frame), int(ticks)))
    return sorted(jumps)

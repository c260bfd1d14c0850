"""SDP (RFC 4566) as cameras write it, read leniently: what tracks there are and how their packets are coded.

Called by `session` after DESCRIBE. Pure: text in, tracks out. A line that isn't understood is skipped; a track
that isn't understood is kept with an empty `codec`, so that the probe can name it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

MAX_LINES = 2000
MAX_TRACKS = 64

_LINE = re.compile(r"\r\n|\n|\r")
_STATIC = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 26: ("JPEG", 90000, 1)}
"""Payload types that need no rtpmap (RFC 3551 tables 4 and 5)."""
_CODECS = {
    ("video", "H264"): "h264",
    ("video", "H265"): "h265",
    ("video", "HEVC"): "h265",
    ("audio", "MPEG4-GENERIC"): "aac",
    ("audio", "PCMU"): "pcmu",
    ("audio", "PCMA"): "pcma",
}


@dataclass(slots=True)
class Track:
    """One `m=` section, reduced to the payload type that we would receive."""

    kind: str
    """`video`, `audio`, `application`, ..."""
    payload_type: int = -1
    encoding: str = ""
    """As the camera names it, in capitals; for messages."""
    codec: str = ""
    """`h264`, `h265`, `aac`, `pcmu`, `pcma`, or empty for what we don't read."""
    clock_hz: int = 0
    channels: int = 1
    format: dict[str, str] = field(default_factory=dict)
    """Parameters of `a=fmtp`, names in lower case."""
    control: str = ""
    is_receivable: bool = True
    """False for tracks that the camera wants to be sent (`a=sendonly` backchannels) or that are off."""

    def parameter_sets(self) -> list[bytes]:
        """NAL units of `sprop-...` (RFC 6184 section 8.1, RFC 7798 section 7.1); what isn't base64 is left out."""
        if self.codec == "h265":
            texts = [self.format.get(f"sprop-{name}", "") for name in ("vps", "sps", "pps")]
        else:
            texts = [self.format.get("sprop-parameter-sets", "")]
        sets = (_base64(item) for text in texts for item in text.split(","))
        return [nal for nal in sets if nal][:64]


@dataclass(slots=True)
class SessionDescription:
    control: str = ""
    """Session-level control attribute; empty or `*` means the base URL."""
    tracks: list[Track] = field(default_factory=list)


def parse_sdp(body: bytes) -> SessionDescription:
    """Never raises: nonsense gives a description without tracks."""
    session = SessionDescription()
    track: Track | None = None
    formats: list[int] = []
    maps: dict[int, tuple[str, int, int]] = {}
    parameters: dict[int, dict[str, str]] = {}
    text = body.decode("utf-8", "replace").replace("\0", "")
    for line in _LINE.split(text)[:MAX_LINES]:
        key, _, value = line.strip().partition("=")
        if key == "m":
            if track is not None:
                _settle(track, formats, maps, parameters)
            if len(session.tracks) == MAX_TRACKS:
                track = None
                break
            track, formats = _media_line(value)
            maps, parameters = {}, {}
            session.tracks.append(track)
        elif key == "a":
            name, _, content = value.partition(":")
            name, content = name.strip().lower(), content.strip()
            if name == "control":
                if track is None:
                    session.control = content
                elif not track.control:
                    track.control = content
            elif track is None:
                continue
            elif name == "rtpmap":
                _add_map(maps, content)
            elif name == "fmtp":
                _add_format(parameters, content)
            elif name in ("sendonly", "inactive"):
                track.is_receivable = False
    if track is not None:
        _settle(track, formats, maps, parameters)
    return session


def choose_tracks(session: SessionDescription) -> tuple[Track | None, Track | None, list[str]]:
    """The video and the audio track to record, and names of what is left out."""
    video = audio = None
    ignored = []
    for track in session.tracks:
        if track.codec and track.is_receivable and track.kind == "video" and video is None:
            video = track
        elif track.codec and track.is_receivable and track.kind == "audio" and audio is None:
            audio = track
        else:
            ignored.append(f"{track.kind} {track.encoding}".strip())
    return video, audio, ignored


def join_control(base: str, control: str) -> str:
    """URL of a track: absolute as it stands, relative appended to the base as cameras expect (RFC 2326 C.1.1;
    RFC 3986 resolution would cut off query strings that many addresses end with)."""
    if not control or control == "*":
        return base
    if control.lower().startswith(("rtsp://", "rtsps://")):
        return control
    if control.startswith("?"):
        return base + control
    return f"{base.rstrip('/')}/{control.lstrip('/')}"


def _media_line(value: str) -> tuple[Track, list[int]]:
    words = value.split()
    track = Track(words[0].lower() if words else "")
    protocol = words[2].upper() if len(words) > 2 else ""
    if "SAVP" in protocol:
        track.encoding = "SRTP"
        return track, []
    return track, [int(word) for word in words[3:35] if word.isascii() and word.isdigit() and int(word) < 128]


def _add_map(maps: dict[int, tuple[str, int, int]], content: str) -> None:
    number, _, rest = content.partition(" ")
    parts = [part.strip() for part in rest.strip().split("/")]
    if not (number.isascii() and number.isdigit()) or not parts[0]:
        return
    numbers = [int(part) if part.isascii() and part.isdigit() and len(part) < 8 else 0 for part in parts[1:3]]
    clock_hz = numbers[0] if numbers else 0
    channels = numbers[1] if len(numbers) > 1 else 1
    maps[int(number[:4])] = (parts[0].upper()[:40], clock_hz, max(1, min(channels, 8)))


def _add_format(parameters: dict[int, dict[str, str]], content: str) -> None:
    number, _, rest = content.partition(" ")
    if not (number.isascii() and number.isdigit()):
        return
    known = parameters.setdefault(int(number[:4]), {})
    for item in rest.split(";"):
        name, _, value = item.partition("=")
        if name.strip():
            known.setdefault(name.strip().lower(), value.strip().strip('"'))


def _settle(
    track: Track,
    formats: list[int],
    maps: dict[int, tuple[str, int, int]],
    parameters: dict[int, dict[str, str]],
) -> None:
    """Choose the first payload type that we can read; without any, name the first."""
    for payload_type in formats:
        encoding, clock_hz, channels = maps.get(payload_type) or _STATIC.get(payload_type, ("", 0, 1))
        codec = _CODECS.get((track.kind, encoding), "")
        if track.encoding and not codec:
            continue
        track.payload_type, track.encoding = payload_type, encoding or f"payload type {payload_type}"
        track.channels, track.format = channels, parameters.get(payload_type, {})
        track.clock_hz = clock_hz or {"video": 90_000}.get(track.kind, 8_000)
        track.codec = codec
        if codec:
            return


def _base64(text: str) -> bytes:
    text = text.strip().rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""

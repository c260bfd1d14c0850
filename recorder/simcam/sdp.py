"""The session description (RFC 4566) of one stream, and the ways in which cameras write it
differently.

Quirks (for tests of clients): `no-sprop` leaves parameter sets out, `absolute-control` writes whole URLs,
`extra-track` adds a metadata track first, `no-range` and `no-base` leave out what most cameras send.
"""

from __future__ import annotations

import base64
from collections.abc import Set

from .bitstream import nal_type
from .clip import VIDEO_CLOCK_HZ, AudioTrack, Clip
from .rtp import AUDIO_PAYLOAD_TYPES, VIDEO_PAYLOAD_TYPE

VIDEO_CONTROL, AUDIO_CONTROL, EXTRA_CONTROL = "track1", "track2", "track9"
QUIRKS = frozenset({"no-sprop", "absolute-control", "extra-track", "no-range", "no-base", "no-stamp"})


def build_sdp(clip: Clip, base_url: str, host: str, quirks: Set[str] = frozenset()) -> str:
    """`base_url` ends with a slash."""
    prefix = base_url if "absolute-control" in quirks else ""
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=Simulated camera", "c=IN IP4 0.0.0.0", "t=0 0"]
    lines.append(f"a=control:{base_url if prefix else '*'}")
    if "no-range" not in quirks:
        lines.append("a=range:npt=now-")
    if "extra-track" in quirks:
        lines += ["m=application 0 RTP/AVP 107", "a=rtpmap:107 vnd.onvif.metadata/90000"]
        lines.append(f"a=control:{prefix}{EXTRA_CONTROL}")
    lines += [f"m=video 0 RTP/AVP {VIDEO_PAYLOAD_TYPE}", *_video_lines(clip, "no-sprop" not in quirks)]
    lines += [f"a=framerate:{clip.frame_rate:.6g}", f"a=control:{prefix}{VIDEO_CONTROL}"]
    if clip.audio is not None:
        lines += [f"m=audio 0 RTP/AVP {AUDIO_PAYLOAD_TYPES[clip.audio.codec]}", *_audio_lines(clip.audio)]
        lines.append(f"a=control:{prefix}{AUDIO_CONTROL}")
    return "\r\n".join(lines) + "\r\n"


def _video_lines(clip: Clip, has_sprop: bool) -> list[str]:
    def encode(kind: int) -> str:
        sets = [nal for nal in clip.parameter_sets if nal_type(clip.codec, nal) == kind]
        return ",".join(base64.b64encode(nal).decode() for nal in sets)

    number = VIDEO_PAYLOAD_TYPE
    if clip.codec == "h264":
        parameters = ["packetization-mode=1"]
        sps = next((nal for nal in clip.parameter_sets if nal_type("h264", nal) == 7), None)
        if has_sprop and sps is not None:
            parameters.append(f"profile-level-id={sps[1:4].hex().upper()}")
            parameters.append(f"sprop-parameter-sets={encode(7)},{encode(8)}")
        name = "H264"
    else:
        parameters = [f"sprop-vps={encode(32)}", f"sprop-sps={encode(33)}", f"sprop-pps={encode(34)}"]
        parameters = parameters if has_sprop and clip.parameter_sets else []
        name = "H265"
    lines = [f"a=rtpmap:{number} {name}/{VIDEO_CLOCK_HZ}"]
    if parameters:
        lines.append(f"a=fmtp:{number} {'; '.join(parameters)}")
    return lines


def _audio_lines(audio: AudioTrack) -> list[str]:
    number = AUDIO_PAYLOAD_TYPES[audio.codec]
    channels = f"/{audio.channels}" if audio.channels > 1 or audio.codec == "aac" else ""
    if audio.codec != "aac":
        return [f"a=rtpmap:{number} {audio.codec.upper()}/{audio.sample_rate_hz}{channels}"]
    return [
        f"a=rtpmap:{number} MPEG4-GENERIC/{audio.sample_rate_hz}{channels}",
        f"a=fmtp:{number} streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; "
        f"indexdeltalength=3; config={audio.config.hex().upper()}",
    ]

"""Reads a clip from any container PyAV can demux; nothing is decoded, frames stay as they are in the
file.

Called by the server when it starts (`--clip`), in a thread. B-frames keep their order and times; AAC and
G.711 sound is kept, other sound is left out with a notice.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from .bitstream import is_parameter_set, parse_avcc, parse_hvcc, split_annexb, split_length_prefixed
from .clip import VIDEO_CLOCK_HZ, AudioTrack, Clip, ClipFrame, find_parameter_sets

_VIDEO_CODECS = {"h264": "h264", "hevc": "h265"}
_G711_CODECS = {"pcm_mulaw": "pcmu", "pcm_alaw": "pcma"}
_G711_UNIT_MS = 20
_AAC_UNIT_TICKS = 1024


class ClipError(Exception):
    """A file can't be a camera's clip; the message names the file and why."""


def load_clip(path: Path, *, is_stamped: bool = False, has_audio: bool = True) -> Clip:
    """Raises `ClipError`."""
    try:
        with av.open(str(path)) as container:
            return _read(container, path, is_stamped, has_audio)
    except (OSError, ValueError, IndexError, av.FFmpegError) as err:
        raise ClipError(f"{path}: not usable as a clip: {err}") from err


def _read(container: Any, path: Path, is_stamped: bool, has_audio: bool) -> Clip:
    video = next(iter(container.streams.video), None)
    codec = _VIDEO_CODECS.get(video.codec_context.name) if video else None
    if video is None or codec is None:
        raise ClipError(f"{path}: holds no H.264 or H.265 stream")
    audio = next(iter(container.streams.audio), None) if has_audio else None
    notices: list[str] = []
    if audio is not None and not _is_usable(audio):
        notices.append(f"{path}: {audio.codec_context.name} sound is left out (only AAC and G.711 are sent)")
        audio = None
    width_px, height_px = video.codec_context.width, video.codec_context.height
    extradata = video.codec_context.extradata or b""
    video_packets: list[Any] = []
    audio_packets: list[Any] = []
    for packet in container.demux([stream for stream in (video, audio) if stream]):
        if packet.dts is None or not packet.size:
            continue
        (video_packets if packet.stream is video else audio_packets).append(packet)
    while video_packets and not video_packets[0].is_keyframe:
        del video_packets[0]
    if not video_packets:
        raise ClipError(f"{path}: holds no keyframe")
    frames, loop_ticks = _video_frames(codec, extradata, video_packets)
    parameter_sets = find_parameter_sets(codec, frames) or _extradata_sets(codec, extradata)
    first_s = float(min(packet.pts for packet in video_packets) * video_packets[0].time_base)
    track = _audio_track(audio, audio_packets, first_s) if audio is not None and audio_packets else None
    return Clip(
        name=path.name,
        codec=codec,
        width_px=width_px,
        height_px=height_px,
        frames=frames,
        loop_ticks=loop_ticks,
        parameter_sets=parameter_sets,
        audio=track,
        is_stamped=is_stamped,
        notices=tuple(notices),
    )


def _video_frames(codec: str, extradata: bytes, packets: list[Any]) -> tuple[tuple[ClipFrame, ...], int]:
    length_size = _length_size(codec, extradata)
    scale = packets[0].time_base * VIDEO_CLOCK_HZ
    first = packets[0].dts
    decode_ticks = [round((packet.dts - first) * scale) for packet in packets]
    offsets = [round((packet.pts - packet.dts) * scale) for packet in packets]
    least = min(offsets)
    frames = []
    for packet, ticks, offset in zip(packets, decode_ticks, offsets, strict=True):
        sample = bytes(packet)
        nals = split_length_prefixed(sample, length_size) if length_size else split_annexb(sample)
        frames.append(ClipFrame(tuple(nals), ticks, offset - least, packet.is_keyframe))
    steps = sorted(after - before for before, after in itertools.pairwise(decode_ticks))
    usual = steps[len(steps) // 2] if steps else round(VIDEO_CLOCK_HZ / 15)
    last = round((packets[-1].duration or 0) * scale) or usual
    return tuple(frames), decode_ticks[-1] + last


def _length_size(codec: str, extradata: bytes) -> int:
    """Bytes of each NAL unit's length, or 0 where the file holds start codes."""
    if extradata[:1] != b"\x01":
        return 0
    return (parse_avcc if codec == "h264" else parse_hvcc)(extradata)[0]


def _extradata_sets(codec: str, extradata: bytes) -> tuple[bytes, ...]:
    if extradata[:1] == b"\x01":
        return tuple((parse_avcc if codec == "h264" else parse_hvcc)(extradata)[1])
    return tuple(nal for nal in split_annexb(extradata) if is_parameter_set(codec, nal))


def _is_usable(audio: Any) -> bool:
    name = audio.codec_context.name
    return name in _G711_CODECS or (name == "aac" and bool(audio.codec_context.extradata))


def _audio_track(audio: Any, packets: list[Any], first_s: float) -> AudioTrack:
    context = audio.codec_context
    start_s = float(packets[0].pts * Fraction(packets[0].time_base)) - first_s
    if context.name == "aac":
        units = tuple(bytes(packet) for packet in packets)
        unit_ticks, config, codec = _AAC_UNIT_TICKS, bytes(context.extradata), "aac"
    else:
        codec, config = _G711_CODECS[context.name], b""
        unit_ticks = context.sample_rate * _G711_UNIT_MS // 1000
        sound, size = b"".join(bytes(packet) for packet in packets), unit_ticks * context.channels
        units = tuple(sound[at : at + size] for at in range(0, len(sound) - size + 1, size))
    return AudioTrack(codec, context.sample_rate, context.channels, units, unit_ticks, config, start_s)

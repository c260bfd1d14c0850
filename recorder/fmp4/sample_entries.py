"""Sample entries: what `stsd` says about a codec (ISO 14496-12 8.5.2, -14 5.6, -15 5.4.2 and 8.4.1).

`avc1`+`avcC`, `hvc1`+`hvcC`, `mp4v`+`esds` for MJPEG, `mp4a`+`esds` for AAC, `alaw` and `ulaw` as QuickTime has
them. Used for segments here and for plain clips by the archive; read back by `parse_init`.
"""

from __future__ import annotations

import struct

from recorder.codecs import aac_parameters, nal_type, parse_h264_sps, parse_h265_sps, video_parameters
from recorder.samples import AudioParameters, VideoParameters

from .boxes import Buffer, box, find_box, full_box

VIDEO_ENTRY_BYTES = 78
"""Of a VisualSampleEntry before its boxes (8.5.2 and 12.1.3)."""
AUDIO_ENTRY_BYTES = 28
"""Of an AudioSampleEntry of version 0 before its boxes (12.2.3)."""

_OBJECT_JPEG, _OBJECT_AAC = 0x6C, 0x40
_STREAM_VISUAL, _STREAM_AUDIO = 4, 5
_ES, _DECODER_CONFIG, _DECODER_SPECIFIC, _SL_CONFIG = 3, 4, 5, 6
_WITHOUT_CHROMA_FORMAT = frozenset((66, 77, 88))
_G711 = {"pcma": b"alaw", "pcmu": b"ulaw"}


def video_sample_entry(video: VideoParameters) -> bytes:
    """Raises `ValueError` for an unknown codec or unusable parameter sets."""
    if video.codec == "h264":
        kind, config = b"avc1", avc_configuration(video.parameter_sets)
    elif video.codec == "h265":
        kind, config = b"hvc1", hevc_configuration(video.parameter_sets)
    elif video.codec == "mjpeg":
        kind, config = b"mp4v", _esds(_OBJECT_JPEG, _STREAM_VISUAL)
    else:
        raise ValueError(f"{video.codec} has no sample entry")
    if not (0 < video.width_px <= 0xFFFF and 0 < video.height_px <= 0xFFFF):
        raise ValueError("the size doesn't fit a sample entry")
    head = struct.pack(">6xH16xHHII4xH32xHh", 1, video.width_px, video.height_px, 0x480000, 0x480000, 1, 0x18, -1)
    return box(kind, head, config)


def audio_sample_entry(audio: AudioParameters) -> bytes:
    """Raises `ValueError` for an unknown codec."""
    # The field is 16.16 fixed; a rate it can't hold is left 0 and stands in mdhd alone (12.2.3).
    rate = audio.sample_rate_hz << 16 if audio.sample_rate_hz <= 0xFFFF else 0
    head = struct.pack(">6xH8xHH4xI", 1, audio.channels, 16, rate)
    if audio.codec == "aac":
        return box(b"mp4a", head, _esds(_OBJECT_AAC, _STREAM_AUDIO, audio.config))
    if audio.codec in _G711:
        return box(_G711[audio.codec], head, _channel_layout(audio.channels))
    raise ValueError(f"{audio.codec} has no sample entry")


def avc_configuration(sets: tuple[bytes, ...]) -> bytes:
    """`avcC` (ISO 14496-15 5.3.3.1)."""
    spss = [nal for nal in sets if nal_type("h264", nal) == 7]
    ppss = [nal for nal in sets if nal_type("h264", nal) == 8]
    if not 0 < len(spss) <= 31 or not 0 < len(ppss) <= 255:
        raise ValueError("avcC holds 1 to 31 SPS and 1 to 255 PPS")
    sps = parse_h264_sps(spss[0])
    parts = [bytes((1, sps.profile, sps.compatibility, sps.level, 0xFC | 3, 0xE0 | len(spss)))]
    parts += [_sized(nal) for nal in spss]
    parts.append(bytes((len(ppss),)))
    parts += [_sized(nal) for nal in ppss]
    if sps.profile not in _WITHOUT_CHROMA_FORMAT:
        bits = (0xFC | sps.chroma_format, 0xF8 | sps.luma_bits - 8, 0xF8 | sps.chroma_bits - 8, 0)
        parts.append(bytes(bits))
    return box(b"avcC", *parts)


def hevc_configuration(sets: tuple[bytes, ...]) -> bytes:
    """`hvcC` (ISO 14496-15 8.3.3.1). `hvc1` asks for complete arrays; in-band repeats are harmless."""
    by_kind = [(kind, [nal for nal in sets if nal_type("h265", nal) == kind]) for kind in (32, 33, 34)]
    if not all(nals for _, nals in by_kind):
        raise ValueError("hvcC needs a VPS, an SPS and a PPS")
    sps = parse_h265_sps(by_kind[1][1][0])
    general = sps.general
    head = struct.pack(
        ">BBI6sBHBBBBHBB",
        1,
        general.space << 6 | general.is_high_tier << 5 | general.profile,
        general.compatibility,
        general.constraints,
        general.level,
        0xF000,  # min_spatial_segmentation_idc unknown
        0xFC,  # parallelismType unknown
        0xFC | sps.chroma_format,
        0xF8 | sps.luma_bits - 8,
        0xF8 | sps.chroma_bits - 8,
        0,  # avgFrameRate unknown
        sps.sub_layers << 3 | sps.is_temporal_nested << 2 | 3,
        len(by_kind),
    )
    arrays = [
        bytes((0x80 | kind,)) + struct.pack(">H", len(nals)) + b"".join(map(_sized, nals)) for kind, nals in by_kind
    ]
    return box(b"hvcC", head, *arrays)


def parse_video_entry(kind: bytes, buffer: Buffer, start: int, end: int) -> VideoParameters | None:
    """The payload of one sample entry; None for a codec that isn't ours. Raises `ValueError`."""
    if kind not in (b"avc1", b"avc3", b"hvc1", b"hev1", b"mp4v"):
        return None
    if end - start < VIDEO_ENTRY_BYTES:
        raise ValueError("a sample entry is cut off")
    width_px, height_px = struct.unpack_from(">HH", buffer, start + 24)
    inner = start + VIDEO_ENTRY_BYTES
    if kind == b"mp4v":
        object_type, _ = _parse_esds(buffer, *find_box(buffer, inner, end, b"esds"))
        return VideoParameters("mjpeg", width_px, height_px, (), "mp4v.6C") if object_type == _OBJECT_JPEG else None
    if kind in (b"avc1", b"avc3"):
        codec, sets = "h264", _parse_avcc(bytes(_slice(buffer, find_box(buffer, inner, end, b"avcC"))))
    else:
        codec, sets = "h265", _parse_hvcc(bytes(_slice(buffer, find_box(buffer, inner, end, b"hvcC"))))
    told = video_parameters(codec, sets)
    return VideoParameters(codec, width_px, height_px, tuple(sets), told.rfc6381, told.reorder_depth, told.frame_rate)


def parse_audio_entry(kind: bytes, buffer: Buffer, start: int, end: int, rate_hz: int) -> AudioParameters | None:
    """As `parse_video_entry`; `rate_hz` is the track's timescale."""
    if end - start < AUDIO_ENTRY_BYTES:
        raise ValueError("a sample entry is cut off")
    channels = int.from_bytes(buffer[start + 16 : start + 18], "big")
    if kind == b"mp4a":
        inner = start + AUDIO_ENTRY_BYTES
        object_type, config = _parse_esds(buffer, *find_box(buffer, inner, end, b"esds"))
        if object_type != _OBJECT_AAC:
            return None
        return AudioParameters("aac", rate_hz, channels, config, aac_parameters(config).rfc6381)
    for codec, entry in _G711.items():
        if kind == entry:
            return AudioParameters(codec, rate_hz, channels)
    return None


def _channel_layout(channels: int) -> bytes:
    """QuickTime's `chan` box with the tag for mono or stereo: without it FFmpeg guesses, and warns."""
    tags = {1: 100 << 16 | 1, 2: 101 << 16 | 2}
    return full_box(b"chan", 0, 0, struct.pack(">III", tags[channels], 0, 0)) if channels in tags else b""


def _sized(nal: bytes) -> bytes:
    return len(nal).to_bytes(2, "big") + nal


def _slice(buffer: Buffer, limits: tuple[int, int]) -> Buffer:
    return buffer[limits[0] : limits[1]]


def _descriptor(tag: int, payload: bytes) -> bytes:
    """ISO 14496-1 8.3.3, the length in four bytes of seven bits."""
    size = len(payload)
    lengths = (0x80 | size >> 21, 0x80 | size >> 14 & 0x7F, 0x80 | size >> 7 & 0x7F, size & 0x7F)
    return bytes((tag, *lengths)) + payload


def _esds(object_type: int, stream_type: int, config: bytes = b"") -> bytes:
    specific = _descriptor(_DECODER_SPECIFIC, config) if config else b""
    decoder = struct.pack(">BB3xII", object_type, stream_type << 2 | 1, 0, 0) + specific
    stream = struct.pack(">HB", 0, 0) + _descriptor(_DECODER_CONFIG, decoder) + _descriptor(_SL_CONFIG, b"\x02")
    return full_box(b"esds", 0, 0, _descriptor(_ES, stream))


def _parse_esds(buffer: Buffer, start: int, end: int) -> tuple[int, bytes]:
    """objectTypeIndication and DecoderSpecificInfo."""
    payload = bytes(buffer[start + 4 : end])
    stream = _open_descriptor(payload, 0, _ES)
    if len(stream) < 3:
        raise ValueError("an ES descriptor is cut off")
    flags = stream[2]
    position = 3 + 2 * (flags >> 7) + 2 * (flags >> 5 & 1)
    if flags & 0x40 and len(stream) > position:
        position += 1 + stream[position]
    decoder = _open_descriptor(stream, position, _DECODER_CONFIG)
    if len(decoder) < 13:
        raise ValueError("a decoder config is cut off")
    return decoder[0], _open_descriptor(decoder, 13, _DECODER_SPECIFIC) if len(decoder) > 13 else b""


def _open_descriptor(payload: bytes, position: int, tag: int) -> bytes:
    if payload[position : position + 1] != bytes((tag,)):
        raise ValueError(f"descriptor {tag} is missing")
    size = 0
    for index in range(position + 1, min(position + 5, len(payload))):
        size = size << 7 | payload[index] & 0x7F
        if not payload[index] & 0x80:
            if index + 1 + size > len(payload):
                break
            return payload[index + 1 : index + 1 + size]
    raise ValueError(f"descriptor {tag} is cut off")


def _take_sets(config: bytes, position: int, count: int, sets: list[bytes]) -> int:
    for _ in range(count):
        size = int.from_bytes(config[position : position + 2], "big")
        position += 2 + size
        if not size or position > len(config):
            raise ValueError("a parameter set is cut off")
        sets.append(config[position - size : position])
    return position


def _parse_avcc(config: bytes) -> list[bytes]:
    sets: list[bytes] = []
    if len(config) < 7 or config[4] & 3 != 3:
        raise ValueError("no usable avcC")
    position = _take_sets(config, 6, config[5] & 31, sets)
    if position >= len(config):
        raise ValueError("no usable avcC")
    _take_sets(config, position + 1, config[position], sets)
    return sets


def _parse_hvcc(config: bytes) -> list[bytes]:
    sets: list[bytes] = []
    if len(config) < 23 or config[21] & 3 != 3:
        raise ValueError("no usable hvcC")
    position = 23
    for _ in range(config[22]):
        count = int.from_bytes(config[position + 1 : position + 3], "big")
        position = _take_sets(config, position + 3, count, sets)
    return sets

"""Small clips, made once per test session by PyAV, and what is in them."""

import av
import numpy as np

from recorder.codecs import nal_type, split_annexb


def make_clip(path, codec="h264", frames=60, fps=30, size=(320, 180), b_frames=0, has_audio=False):
    """A moving gradient; GOP of one second."""
    rng = np.random.default_rng(7)
    with av.open(str(path), "w") as out:
        video = out.add_stream({"h264": "libx264", "h265": "libx265"}[codec], rate=fps)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"preset": "ultrafast", "g": str(fps), "bf": str(b_frames), "threads": "1"}
        video.options |= {"x265-params": f"log-level=none:pools=none:keyint={fps}:bframes={b_frames}"}
        video.options |= {"x264-params": "slices=2:scenecut=0"}
        audio = out.add_stream("aac", rate=48000) if has_audio else None
        if audio is not None:
            audio.layout = "mono"
        noise = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        for number in range(frames):
            picture = np.roll(noise, number * 3, axis=1)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            out.mux(video.encode(frame))
        if audio is not None:
            total = frames * 48000 // fps
            tone = (np.sin(np.arange(total) * 0.05) * 8000).astype(np.int16).reshape(1, -1)
            sound = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            sound.rate = 48000
            out.mux(audio.encode(sound))
            out.mux(audio.encode(None))
        out.mux(video.encode(None))
    return path


def pictures(path, codec):
    """Per access unit in decoding order: the slices' bytes."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        names = {"h264": "h264_mp4toannexb", "h265": "hevc_mp4toannexb"}
        filters = av.BitStreamFilterContext(names[codec], stream)
        packets = [out for packet in source.demux(stream) for out in filters.filter(packet)]
    return [slices(split_annexb(bytes(packet)), codec) for packet in packets if packet.size]


def slices(nals, codec):
    """What is left when parameter sets, SEI and delimiters are taken out: servers may add or drop these."""
    highest = 5 if codec == "h264" else 31
    return [bytes(nal) for nal in nals if nal_type(codec, nal) <= highest]


def audio_units(path):
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux(source.streams.audio[0]) if packet.size]


def keyframes(path):
    """Per access unit in decoding order."""
    with av.open(str(path)) as source:
        return [packet.is_keyframe for packet in source.demux(source.streams.video[0]) if packet.size]

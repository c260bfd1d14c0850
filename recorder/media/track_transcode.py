"""Makes one track playable in a browser: video to H.264, G.711 to AAC, each in an ffmpeg of its own.

Two processes and not one, for a muxer that interleaves holds a frame back until the sound has come: 6 ms against 72 ms
at 15 frames a second. Time stays absolute: video is rebased by whole seconds on the way in and back on the way out (to
the ms), sound is counted in samples from anchors. Used for live and for playback; loop's thread only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import ffmpeg

from recorder.codecs import aac_parameters, video_parameters
from recorder.fmp4 import audio_fragment_header, build_init, video_fragment_header
from recorder.media.broadcast import AUDIO_TRACK, VIDEO_TRACK, LiveFragment
from recorder.media.ffmpeg_child import MAX_PENDING_BYTES, FfmpegChild, mp4_input
from recorder.media.flv import FlvConfig, FlvReader, avcc_parameter_sets
from recorder.samples import VIDEO_CLOCK_HZ, AudioParameters, VideoParameters

MAX_WIDTH_PX = 1920
LEAD_S = 10
"""Keeps rebased timestamps above zero whatever the encoder's delay."""
GUESSED_RATE = 15.0
AAC_FRAME = 1024
AAC_PRIMING = 1024
"""Samples of silence that ffmpeg's encoder puts in front."""
MAX_SOUND_JUMP_S = 0.1
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)

OnFragment = Callable[[LiveFragment], None]
Pause = Callable[[], Awaitable[None]]


class VideoTranscode:
    """`on_video` is called with the new parameters before the first frame, `on_fragment` with each frame."""

    def __init__(
        self,
        video: VideoParameters,
        on_video: Callable[[VideoParameters], Any],
        on_fragment: OnFragment,
        on_end: Callable[[str], None],
        pause: Pause | None = None,
    ) -> None:
        """`pause` is awaited after each read from the encoder: playback's way to hold it back."""
        self._video = video
        self._pause = pause
        self._on_video = on_video
        self._on_fragment = on_fragment
        self._on_end = on_end
        self._flv = FlvReader()
        self._base_s = 0
        """Unix time that the encoder counts from: set with its start."""
        self._sequence = 0
        self._last: int | None = None
        self._duration = round(VIDEO_CLOCK_HZ / (video.frame_rate or GUESSED_RATE))
        self.child: FfmpegChild | None = None

    def feed(self, fragment: LiveFragment) -> None:
        """For live: what the encoder can't take in time is left out."""
        self._started(fragment).feed_frame(fragment.content, fragment.is_keyframe)

    async def feed_all(self, fragment: LiveFragment) -> None:
        """For playback: waits for the encoder."""
        await self._started(fragment).feed_all(fragment.content)

    def close_input(self) -> None:
        if self.child is not None:
            self.child.close_input()

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()

    def _started(self, fragment: LiveFragment) -> FfmpegChild:
        if self.child is None:
            self._base_s = fragment.decode_time // VIDEO_CLOCK_HZ - LEAD_S
            self.child = FfmpegChild(self._graph(self._base_s), self._on_output, self._on_end)
            self.child.feed(build_init(self._video, None))
        return self.child

    def _graph(self, base_s: int) -> Any:
        keyframes = {"force_key_frames": "source", "g": 300}
        if self._video.codec == "mjpeg":  # each of its frames is a keyframe
            keyframes = {"g": round(2 * (self._video.frame_rate or GUESSED_RATE))}
        picture = mp4_input()["v:0"]
        if self._video.width_px > MAX_WIDTH_PX:
            picture = picture.filter("scale", MAX_WIDTH_PX, -2)
        return ffmpeg.output(
            picture,
            "pipe:1",
            format="flv",
            vcodec="libx264",
            preset="ultrafast",
            tune="zerolatency",
            pix_fmt="yuv420p",
            threads=2,
            fps_mode="passthrough",
            avoid_negative_ts="disabled",
            output_ts_offset=-base_s,
            flvflags="no_duration_filesize+no_metadata",
            flush_packets=1,
            **keyframes,
            **{"enc_time_base:v": f"1:{VIDEO_CLOCK_HZ}"},
        )

    def _on_output(self, content: bytes) -> Awaitable[None] | None:
        for found in self._flv.feed(content):
            if isinstance(found, FlvConfig):
                parameters = video_parameters("h264", avcc_parameter_sets(found.avcc))
                self._on_video(parameters)
                continue
            decode_time = self._base_s * VIDEO_CLOCK_HZ + found.dts_ms * VIDEO_CLOCK_HZ // 1000
            if self._last is not None:
                decode_time = max(decode_time, self._last + 1)
                self._duration = min(decode_time - self._last, VIDEO_CLOCK_HZ)
            self._last = decode_time
            self._sequence += 1
            head = video_fragment_header(
                self._sequence, decode_time, self._duration, len(found.sample), found.is_keyframe, 0
            )
            self._on_fragment(LiveFragment(head + found.sample, VIDEO_TRACK, decode_time, found.is_keyframe))
        return self._pause() if self._pause is not None else None


class SoundTranscode:
    """G.711 to AAC at the same sample rate. `audio` is what comes out."""

    def __init__(
        self,
        audio: AudioParameters,
        on_fragment: OnFragment,
        on_end: Callable[[str], None],
        pause: Pause | None = None,
    ) -> None:
        """Raises `ValueError` for a rate that AAC doesn't have."""
        rate, channels = audio.sample_rate_hz, audio.channels
        self.audio = aac_parameters((2 << 11 | _AAC_RATES.index(rate) << 7 | channels << 3).to_bytes(2, "big"))
        self._rate = rate
        self._pause = pause
        self._channels = channels
        self._on_fragment = on_fragment
        self._held = bytearray()
        self._fed = 0
        self._anchors: list[tuple[int, int]] = []
        """(samples fed before, decode time), rising."""
        self._frames = 0
        self._last = 0
        self._sequence = 0
        sound = ffmpeg.input(
            "pipe:0",
            format="alaw" if audio.codec == "pcma" else "mulaw",
            ar=rate,
            ac=channels,
            probesize=32,
            analyzeduration=0,
        )
        graph = ffmpeg.output(
            sound, "pipe:1", format="adts", acodec="aac", **{"b:a": 32000 * channels, "flush_packets": 1}
        )
        self.child = FfmpegChild(graph, self._on_output, on_end)

    def feed(self, fragment: LiveFragment) -> None:
        sound = fragment.media
        expected = self._anchors[-1][1] + self._fed - self._anchors[-1][0] if self._anchors else None
        if expected is None or abs(fragment.decode_time - expected) > MAX_SOUND_JUMP_S * self._rate:
            self._anchors.append((self._fed, fragment.decode_time))
        self._fed += len(sound) // self._channels
        if self.child.waiting_bytes < MAX_PENDING_BYTES:
            self.child.feed(sound)

    def close_input(self) -> None:
        self.child.close_input()

    def kill(self) -> None:
        self.child.kill()

    def _on_output(self, content: bytes) -> Awaitable[None] | None:
        held = self._held
        held += content
        while len(held) >= 7:
            size = (held[3] & 3) << 11 | held[4] << 3 | held[5] >> 5  # ISO 13818-7 6.2.1: aac_frame_length
            if size < 7 or held[0] != 0xFF:
                raise ValueError("not an ADTS stream")
            if len(held) < size:
                break
            header = 7 if held[1] & 1 else 9
            sample = bytes(held[header:size])
            del held[:size]
            position = self._frames * AAC_FRAME - AAC_PRIMING
            self._frames += 1
            if position >= 0:
                self._on_fragment(self._fragment(position, sample))
        return self._pause() if self._pause is not None else None

    def _fragment(self, position: int, sample: bytes) -> LiveFragment:
        while len(self._anchors) > 1 and self._anchors[1][0] <= position:
            del self._anchors[0]
        fed, at = self._anchors[0]
        decode_time = max(at + position - fed, self._last)
        self._last = decode_time + AAC_FRAME
        self._sequence += 1
        head = audio_fragment_header(self._sequence, decode_time, [len(sample)], [AAC_FRAME])
        return LiveFragment(head + sample, AUDIO_TRACK, decode_time, False)

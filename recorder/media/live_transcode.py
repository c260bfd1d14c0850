"""A live stream made playable in a browser, shared by all its viewers.

What a browser plays anyway passes through untouched; H.264 with AAC costs no process at all. Loop's thread only.
"""

from __future__ import annotations

from recorder.fmp4 import build_init
from recorder.media.broadcast import AUDIO_TRACK, Broadcast, LiveFragment, StreamState
from recorder.media.ffmpeg_child import TranscodeSlots, TranscodingError
from recorder.media.live_conversion import LiveConversion
from recorder.media.track_transcode import SoundTranscode, VideoTranscode
from recorder.samples import AudioParameters, VideoParameters


class LiveTranscode(LiveConversion):
    def __init__(self, target: Broadcast, slots: TranscodeSlots) -> None:
        super().__init__(target, slots)
        self._video: VideoTranscode | None = None
        self._sound: SoundTranscode | None = None
        self._audio: AudioParameters | None = None

    def on_state(self, state: StreamState) -> None:
        self._end_children()
        try:
            if state.needs_transcoding:
                self._take_slot()
            self._configure(state)
        except (TranscodingError, ValueError) as err:
            self._fail(err)

    def on_fragment(self, fragment: LiveFragment) -> None:
        if fragment.track == AUDIO_TRACK:
            if self._sound is not None:
                self._sound.feed(fragment)
            elif self._audio is not None:
                self._target.publish(fragment)
        elif self._video is not None:
            self._video.feed(fragment)
        else:
            self._target.publish(fragment)

    def _configure(self, state: StreamState) -> None:
        self._audio = state.audio
        if state.audio is not None and not state.has_playable_audio:
            try:
                self._sound = SoundTranscode(state.audio, self._target.publish, self._on_child_end)
                self._audio = self._sound.audio
            except ValueError:
                self._audio = None  # a rate that AAC doesn't know: better silent than no picture
        if state.video is not None and state.video.codec != "h264":
            self._video = VideoTranscode(state.video, self._on_video, self._target.publish, self._on_child_end)
        else:
            self._target.publish_init(build_init(state.video, self._audio))

    def _on_video(self, video: VideoParameters) -> None:
        self._target.publish_init(build_init(video, self._audio))

    def _end_children(self) -> None:
        for child in (self._video, self._sound):
            if child is not None:
                child.kill()
        self._video = self._sound = None

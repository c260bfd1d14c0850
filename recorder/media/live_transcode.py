"""A live stream made playable, shared by all its viewers: a subscriber of the plain broadcast that feeds another one.

What a browser plays anyway passes through untouched; H.264 with AAC costs no process at all. Loop's thread only.
"""

from __future__ import annotations

from collections.abc import Sequence

from recorder.fmp4 import build_init
from recorder.media.broadcast import AUDIO_TRACK, Broadcast, LiveError, LiveFragment, StreamState
from recorder.media.ffmpeg_child import TranscodeSlots, TranscodingError
from recorder.media.track_transcode import SoundTranscode, VideoTranscode
from recorder.samples import AudioParameters, VideoParameters

CLOSE_TRY_LATER = 4503


class LiveTranscode:
    def __init__(self, target: Broadcast, slots: TranscodeSlots) -> None:
        self.is_started = False
        self._target = target
        self._slots = slots
        self._has_slot = False
        self._video: VideoTranscode | None = None
        self._sound: SoundTranscode | None = None
        self._audio: AudioParameters | None = None

    def start(self, state: StreamState, gop: Sequence[LiveFragment]) -> None:
        self.is_started = True
        self.on_state(state)
        for fragment in gop:
            self.on_fragment(fragment)

    def on_state(self, state: StreamState) -> None:
        self._end_children()
        try:
            if state.needs_transcoding and not self._has_slot:
                self._slots.take()
                self._has_slot = True
            self._configure(state)
        except (TranscodingError, ValueError) as err:
            code = err.code if isinstance(err, TranscodingError) else "transcode_failed"
            self._target.fail(LiveError(code, str(err), close_code=CLOSE_TRY_LATER))

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

    def on_error(self, error: LiveError) -> None:
        self._target.fail(error)

    def stop(self) -> None:
        self._end_children()
        if self._has_slot:
            self._slots.give_back()
            self._has_slot = False

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

    def _on_child_end(self, complaint: str) -> None:
        self._end_children()
        self._target.fail(
            LiveError("transcode_failed", "The conversion of this stream ended.", close_code=CLOSE_TRY_LATER)
        )

    def _end_children(self) -> None:
        for child in (self._video, self._sound):
            if child is not None:
                child.kill()
        self._video = self._sound = None

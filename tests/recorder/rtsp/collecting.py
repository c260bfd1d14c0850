"""A sink that keeps what it gets, and waits for conditions."""

import asyncio


class Collector:
    """Samples as tuples: video (bytes, timestamp, is_keyframe, arrived_ns), audio (bytes, timestamp, duration)."""

    def __init__(self):
        self.parameters = []
        self.video = []
        self.audio = []
        self.losses = []
        self.reports = []
        self.order = []
        self._changed = asyncio.Event()

    def _note(self, what):
        self.order.append(what)
        self._changed.set()

    def on_parameters(self, video, audio):
        self.parameters.append((video, audio))
        self._note("parameters")

    def on_video(self, sample, timestamp, is_keyframe, arrived_ns):
        self.video.append((bytes(sample), timestamp, is_keyframe, arrived_ns))
        self._note("key" if is_keyframe else "video")

    def on_audio(self, sample, timestamp, duration, arrived_ns):
        self.audio.append((bytes(sample), timestamp, duration))
        self._note("audio")

    def on_loss(self, packets):
        self.losses.append(packets)
        self._note("loss")

    def on_sender_report(self, is_video, ntp_ns, timestamp, arrived_ns):
        self.reports.append((is_video, ntp_ns, timestamp, arrived_ns))
        self._note("report")

    async def until(self, condition, timeout_s=10.0):
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

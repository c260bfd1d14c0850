"""All live streams that somebody watches now: one follower per stream and one transcode per kind, however many watch.

Camera connections are capture's alone; the hub only reads files. Loop's thread only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from recorder.fmp4 import Fragment
from recorder.media.broadcast import Broadcast, LiveError, LiveFragment, Subscriber
from recorder.media.ffmpeg_child import TranscodeSlots
from recorder.media.follower import Follower
from recorder.media.inotify import Inotify
from recorder.media.live_conversion import LiveConversion
from recorder.media.live_directory import LiveDirectory
from recorder.media.live_state import explain, is_hopeless
from recorder.media.live_transcode import LiveTranscode
from recorder.media.mjpeg import MjpegFeed

log = logging.getLogger(__name__)

SILENT_S = 10.0
"""How long viewers wait for a picture, at the start or after the last one, before they are told."""
CHECK_S = 1.0
LINGER_S = 1.0
"""How long a channel outlives its last viewer: a page that changes shouldn't start ffmpeg anew."""


class _FollowerFeed:
    """Turns what a follower reads into a broadcast."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast

    def on_init(self, init: bytes) -> None:
        self._broadcast.publish_init(init)

    def on_fragment(self, content: bytes, fragment: Fragment) -> None:
        self._broadcast.publish(LiveFragment(content, fragment.track, fragment.decode_time, fragment.is_keyframe))

    def on_stopped(self) -> None:
        self._broadcast.stop()


class _Channel:
    """A broadcast and what feeds it: a follower, or a conversion of another channel."""

    def __init__(self, key: str, kind: str) -> None:
        self.key = key
        self.kind = kind
        self.broadcast = Broadcast()
        self.follower: Follower | None = None
        self.conversion: tuple[_Channel, LiveConversion] | None = None
        """The channel it takes from, and the subscriber that does."""
        self.users = 0
        self.closing: asyncio.TimerHandle | None = None


class LiveHub:
    """`join` and `leave` in pairs; `run` beside them, `close` at the end."""

    def __init__(
        self, run_directory: Path, live_directory: LiveDirectory, inotify: Inotify, slots: TranscodeSlots
    ) -> None:
        self._run_directory = run_directory
        self._directory = live_directory
        self._inotify = inotify
        self._slots = slots
        self._channels: dict[tuple[str, str], _Channel] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def join(self, key: str, kind: str, subscriber: Subscriber) -> _Channel:
        """`key` is `<camera>.<stream>`; `kind` is `plain`, `playable` (transcoded where needed) or `mjpeg`."""
        channel = self._use(key, kind)
        channel.broadcast.subscribe(subscriber)
        return channel

    def leave(self, channel: _Channel, subscriber: Subscriber) -> None:
        channel.broadcast.unsubscribe(subscriber)
        self._release(channel)

    @property
    def followers(self) -> int:
        return sum(channel.follower is not None for channel in self._channels.values())

    async def run(self) -> None:
        """Tells viewers of streams that stand still. Until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            now = time.monotonic()
            for channel in list(self._channels.values()):
                broadcast = channel.broadcast
                if channel.conversion is not None or not broadcast.subscribers:
                    continue  # converted streams hear it from their source
                silent_s = now - broadcast.moved_at
                if silent_s <= CHECK_S:
                    continue
                is_over = silent_s > SILENT_S
                if is_over or await asyncio.to_thread(is_hopeless, self._run_directory, channel.key):
                    broadcast.fail(await asyncio.to_thread(explain, self._run_directory, channel.key))

    async def close(self) -> None:
        for channel in list(self._channels.values()):
            channel.broadcast.fail(LiveError("restarting", "The media service restarts.", close_code=1012))
            if channel.closing is not None:
                channel.closing.cancel()
            self._close(channel)
        await asyncio.gather(*self._endings, return_exceptions=True)

    def _use(self, key: str, kind: str) -> _Channel:
        channel = self._channels.get((key, kind))
        if channel is not None and channel.broadcast.has_failed:
            self._forget(channel)
            channel = None
        if channel is None:
            channel = self._channels[key, kind] = self._open(key, kind)
        channel.users += 1
        if channel.closing is not None:
            channel.closing.cancel()
            channel.closing = None
        return channel

    def _open(self, key: str, kind: str) -> _Channel:
        channel = _Channel(key, kind)
        if kind == "plain":
            follower = channel.follower = Follower(
                self._directory.path, key, self._inotify, _FollowerFeed(channel.broadcast)
            )
            self._directory.listen(key, follower.on_link_changed)
            follower.start()
            return channel
        make = LiveTranscode if kind == "playable" else MjpegFeed
        conversion = make(channel.broadcast, self._slots)
        channel.conversion = self.join(key, "plain", conversion), conversion
        return channel

    def _release(self, channel: _Channel) -> None:
        channel.users -= 1
        if channel.users == 0:
            channel.closing = asyncio.get_running_loop().call_later(LINGER_S, self._close, channel)

    def _forget(self, channel: _Channel) -> None:
        """A failed channel stays with its last users, out of the way of new ones."""
        del self._channels[channel.key, channel.kind]
        if channel.follower is not None:
            self._directory.forget(channel.key)

    def _close(self, channel: _Channel) -> None:
        if self._channels.get((channel.key, channel.kind)) is channel:
            self._forget(channel)
        if channel.conversion is not None:
            source, conversion = channel.conversion
            conversion.stop()
            self.leave(source, conversion)
        if channel.follower is not None:
            ending = asyncio.create_task(channel.follower.stop())
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

"""A span as one plain MP4 (`clip.mp4`), made without touching a frame.

`moov` comes first and is computed from the sample indexes; the single `mdat` holds byte ranges of the segment files as
they are, with the `moof` boxes left in between as bytes that no sample refers to (about 1 %). So the
length is known before the first byte, any range can be read at once, and media bytes go from file to socket.
Holes are cut out: the clip's clock stands still there, and `spans` says which times it holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recorder.archive import seek
from recorder.archive.body import Body, FileRange
from recorder.archive.catalog import Catalog
from recorder.archive.exceptions import FormatChanged, NoFootage
from recorder.archive.footage import Piece, read_pieces
from recorder.archive.movie import Track, build_head
from recorder.archive.sample_table import Samples
from recorder.fmp4 import TrackSamples
from recorder.fmp4.sample_entries import audio_sample_entry, video_sample_entry
from recorder.samples import AudioParameters, VideoParameters


@dataclass(frozen=True, slots=True)
class Clip:
    body: Body
    video: VideoParameters
    """Of its first frame."""
    audio: AudioParameters | None
    spans: tuple[tuple[int, int], ...]
    """What it holds: `[start, end)` in UTC ms, rising, one for each unbroken run."""
    etag: str
    """Equal for equal bytes; hexadecimal."""
    head_bytes: int
    """Length of what comes before the media, held in memory."""
    is_final: bool
    """Whether later footage can't change it: its files are closed and the last one reaches beyond it."""

    @property
    def length(self) -> int:
        """Bytes."""
        return self.body.length

    def iter_bytes(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See `Body.iter_bytes`."""
        return self.body.iter_bytes(start, end)

    def read(self, offset: int, size: int) -> bytes:
        """See `Body.read`."""
        return self.body.read(offset, size)


def build_clip(
    catalog: Catalog, camera: str, stream: str, from_ms: int, to_ms: int, *, with_audio: bool = True
) -> Clip:
    """The clip of `[from_ms, to_ms)`, from the keyframe at or before `from_ms`.

    Reads the index of every file once, about 0.3 ms each, and none of their media. Raises `NoFootage`, `FormatChanged`,
    `FootageGone`, `ValueError` (names that can't be)."""
    builder = _Builder(camera, stream, with_audio)
    last: Piece | None = None
    for piece in read_pieces(catalog, camera, stream, from_ms, to_ms):
        if last is not None:
            builder.add(last, is_last_of_run=not piece.is_joined)
        last = piece
    if last is None:
        raise NoFootage(catalog.nearest(camera, stream, from_ms))
    builder.add(last, is_last_of_run=True)
    return builder.finish(from_ms, to_ms)


class _Builder:
    """Takes pieces in order. The clip's clock counts ticks of the first file's video from its first keyframe."""

    def __init__(self, camera: str, stream: str, with_audio: bool) -> None:
        self._note: dict[str, object] = {"camera": camera, "stream": stream}
        self._with_audio = with_audio
        self._video: Track | None = None
        self._audio: Track | None = None
        self._entries: dict[bytes, tuple[bytes, bytes]] = {}
        self._first: tuple[VideoParameters, AudioParameters | None] | None = None
        self._changes: dict[str, list[tuple[int, str, str]]] = {"video": [], "audio": []}
        self._formats: dict[str, str] = {}
        self._ranges: list[FileRange] = []
        self._media_bytes = 0
        self._runs: list[tuple[int, int]] = []
        """First and end tick (UTC) of each run."""
        self._shift = 0
        """UTC ticks minus ticks of the clip's clock, in the present run."""
        self._end = 0
        """End of what has been added, on the clip's clock."""
        self._digest = hashlib.sha256()
        self._has_open = self._is_limited = False

    def add(self, piece: Piece, *, is_last_of_run: bool) -> None:
        video_parameters, audio_parameters = piece.segment.video_parameters, piece.segment.audio_parameters
        entries = self._sample_entries(piece)
        video = piece.video
        if self._video is None:
            size = (video_parameters.width_px, video_parameters.height_px)
            self._video = Track(b"vide", video.timescale, size)
            self._first = (video_parameters, audio_parameters if self._with_audio else None)
        self._check("video", piece, f"{video_parameters.codec}")
        if not piece.is_joined or not self._runs:
            self._begin_run(piece)
        chosen, end = self._chosen_video(piece), piece.end_ticks
        self._runs[-1] = (self._runs[-1][0], end)
        self._end = end - self._shift
        start_byte, end_byte = (
            video.offsets[piece.first],
            video.offsets[piece.stop - 1] + video.sizes[piece.stop - 1],
        )
        audio, sounds = piece.index.audio, slice(0, 0)
        if self._with_audio and audio is not None and audio_parameters is not None and len(audio.sizes):
            sounds = self._chosen_audio(piece, audio, end if is_last_of_run or not piece.is_whole else None)
            if sounds.start < sounds.stop:
                self._check("audio", piece, f"{audio_parameters.codec} {audio.timescale} Hz")
                start_byte = min(start_byte, audio.offsets[sounds.start])
                end_byte = max(end_byte, audio.offsets[sounds.stop - 1] + audio.sizes[sounds.stop - 1])
        moved = self._media_bytes - start_byte
        self._add_video(video, chosen, entries[0], moved)
        if audio is not None and sounds.start < sounds.stop and not self._changes["audio"]:
            self._add_audio(audio, sounds, entries[1], moved)
        self._ranges.append(FileRange(piece.path, start_byte, end_byte - start_byte))
        self._media_bytes += end_byte - start_byte
        self._has_open = self._has_open or not piece.index.is_complete
        self._is_limited = piece.limit_ms is not None
        self._digest.update(f"{piece.ref.named_ms}-{piece.ref.epoch}:{start_byte}-{end_byte}\n".encode())

    def finish(self, from_ms: int, to_ms: int) -> Clip:
        for name, changes in self._changes.items():
            if changes:
                raise FormatChanged(name, changes)
        if self._video is None or self._first is None:
            raise NoFootage
        video, clock = self._video, self._video.timescale
        limit = self._end
        # The first keyframe is shown at 0 of the clip's clock, hence decoded at -cts; the table counts from there.
        video.media_time = video.table.cts_shift - video.table.first_time
        video.duration = limit
        tracks = [video]
        if self._audio is not None:
            audio = self._audio
            audio.delay = audio.table.first_time * clock // audio.timescale
            audio.duration = -(-audio.table.duration * clock // audio.timescale)
            tracks.append(audio)
        spans = tuple((start * 1000 // clock, -(-end * 1000 // clock)) for start, end in self._runs)
        self._note |= {"spans_utc_ms": spans}
        head = build_head(tracks, clock, self._runs[0][0] // clock, self._note, self._media_bytes)
        for part in head:
            self._digest.update(part)
        parameters, sound = self._first
        body = Body([*head, *self._ranges])
        return Clip(
            body=body,
            video=parameters,
            audio=sound if self._audio else None,
            spans=spans,
            etag=self._digest.hexdigest()[:32],
            head_bytes=sum(map(len, head)),
            is_final=self._is_limited and not self._has_open,
        )

    def _sample_entries(self, piece: Piece) -> tuple[bytes, bytes]:
        init = piece.index.init
        if init not in self._entries:
            sound = piece.segment.audio_parameters
            self._entries[init] = (
                video_sample_entry(piece.segment.video_parameters),
                audio_sample_entry(sound) if sound else b"",
            )
        return self._entries[init]

    def _check(self, track: str, piece: Piece, codec: str) -> None:
        before = self._formats.setdefault(track, codec)
        if before != codec:
            self._changes[track].append((piece.start_ms, before, codec))
            self._formats[track] = codec

    def _begin_run(self, piece: Piece) -> None:
        video, table = piece.video, self._video.table if self._video else None
        start = seek.presentation_ticks(video, piece.first)
        at = self._end
        if table is not None and table.count:
            at = max(at, table.last_time + 1 + video.cts_offsets[piece.first])
        self._shift = start - at
        self._runs.append((start, start))

    def _chosen_video(self, piece: Piece) -> np.ndarray:
        """Sample indices to take; all but, at the start of a run, the leading pictures of an open GOP, which
        can't be decoded without the GOP before."""
        chosen = np.arange(piece.first, piece.stop, dtype=np.int64)
        if piece.is_joined:
            return chosen
        times = np.frombuffer(piece.video.decode_times, np.int64)[chosen]
        shown = times + np.frombuffer(piece.video.cts_offsets, np.int32)[chosen]
        return chosen[shown >= shown[0]]

    def _chosen_audio(self, piece: Piece, audio: TrackSamples, end: int | None) -> slice:
        """Audio from the start of the run to UTC tick `end`, as far as it lies in this file."""
        clock = piece.video.timescale
        first = seek.first_decoded_at(audio, -(-self._runs[-1][0] * audio.timescale // clock))
        stop = len(audio.sizes) if end is None else seek.first_decoded_at(audio, end * audio.timescale // clock)
        return slice(first, max(first, stop))

    def _add_video(self, video: TrackSamples, chosen: np.ndarray, entry: bytes, moved: int) -> None:
        if self._video is None:
            return
        is_sync = np.zeros(len(video.sizes), bool)
        is_sync[np.frombuffer(video.keyframes, np.uint32)] = True
        samples = Samples(
            times=np.frombuffer(video.decode_times, np.int64)[chosen] - self._shift,
            cts_offsets=np.frombuffer(video.cts_offsets, np.int32)[chosen].astype(np.int64),
            sizes=np.frombuffer(video.sizes, np.uint32)[chosen].astype(np.int64),
            offsets=np.frombuffer(video.offsets, np.uint64)[chosen].astype(np.int64) + moved,
            sync=np.flatnonzero(is_sync[chosen]),
        )
        self._video.table.add(entry, samples, video.durations[int(chosen[-1])])

    def _add_audio(self, audio: TrackSamples, sounds: slice, entry: bytes, moved: int) -> None:
        if self._audio is None:
            self._audio = Track(b"soun", audio.timescale)
        clock = self._video.timescale if self._video else 1
        shift = round(self._shift * audio.timescale / clock)
        times = np.frombuffer(audio.decode_times, np.int64)[sounds] - shift
        samples = Samples(
            times=times,
            cts_offsets=np.zeros(len(times), np.int64),
            sizes=np.frombuffer(audio.sizes, np.uint32)[sounds].astype(np.int64),
            offsets=np.frombuffer(audio.offsets, np.uint64)[sounds].astype(np.int64) + moved,
            sync=None,
        )
        self._audio.table.add(entry, samples, audio.durations[sounds.stop - 1])

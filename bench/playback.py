"""How fast footage is answered: first byte of a clip against ffmpeg's concat copy, and a day in constant memory.

Run by `make bench` or `python bench/playback.py [--directory D]`; prints one JSON object a line. Footage is made here
by recorder.fmp4: an hour of 1.6 Mbit/s and a day of small frames, 15 fps and AAC, in 60 s segments. "Cold" means that
no index is cached in the process; the files are in the page cache for both sides.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import av

from recorder.archive.catalog import Catalog
from recorder.archive.clip import build_clip
from recorder.archive.hls import build_playlist
from recorder.archive.layout import segment_path
from recorder.archive.span import read_span
from recorder.codecs import aac_parameters, join_length_prefixed, split_annexb, video_parameters
from recorder.fmp4 import SampleIndexBuilder, audio_fragment_header, build_init, video_fragment_header

CAMERA = "5d0f2f0e-7f3c-4b1e-8a55-0d2a5f6f9b11"
START_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z
FPS, GOP_FRAMES, SEGMENT_S = 15, 30, 60
AUDIO_HZ = 16_000
FILLER_NAL = 12


def coded_gop(frame_bytes: int):
    """One GOP of real H.264, padded with filler NAL units to `frame_bytes` a frame."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 640, 360, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, FPS), FPS, 1
    encoder.options = {"preset": "ultrafast", "g": str(GOP_FRAMES), "bf": "0"}
    packets = []
    for number in range(GOP_FRAMES):
        picture = av.VideoFrame(640, 360, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([64 + number]) * plane.buffer_size)
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    samples = []
    for packet in packets:
        sample = join_length_prefixed(split_annexb(bytes(packet)))
        missing = frame_bytes - len(sample) - 6
        if missing > 0:
            filler = bytes([FILLER_NAL]) + b"\xff" * missing + b"\x80"
            sample += len(filler).to_bytes(4, "big") + filler
        samples.append(sample)
    return video_parameters("h264", split_annexb(bytes(packets[0]))), samples


def coded_silence():
    """Parameters and one AAC access unit of silence."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_HZ, "mono", "fltp"
    packets = []
    for number in range(8):
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts = AUDIO_HZ, number * 1024
        packets += encoder.encode(frame)
    return aac_parameters(bytes(encoder.extradata)), bytes(packets[-1])


def make_archive(volume: Path, seconds: int, frame_bytes: int) -> int:
    """Writes the footage; returns its bytes."""
    video, samples = coded_gop(frame_bytes)
    audio, silence = coded_silence()
    init = build_init(video, audio)
    total, tick = 0, 90_000 // FPS
    for second in range(0, seconds, SEGMENT_S):
        start_ms = START_MS + second * 1000
        path = segment_path(volume, CAMERA, "main", start_ms, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        index, parts, at = SampleIndexBuilder(), [init], len(init)
        heard = -(-start_ms * AUDIO_HZ // 1000 // 1024) * 1024
        for frame in range(SEGMENT_S * FPS):
            sample, dts = samples[frame % GOP_FRAMES], start_ms * 90 + frame * tick
            header = video_fragment_header(frame, dts, tick, len(sample), frame % GOP_FRAMES == 0, 0)
            parts += (header, sample)
            index.add_video(at, at + len(header), len(sample), dts, tick, 0, frame % GOP_FRAMES == 0)
            at += len(header) + len(sample)
            due = (dts + tick) * AUDIO_HZ // 90_000 - heard
            if due >= 2048:
                sizes, lengths = [len(silence)] * (due // 1024), [1024] * (due // 1024)
                header = audio_fragment_header(frame, heard, sizes, lengths)
                parts += (header, silence * len(sizes))
                index.add_audio(at, at + len(header), sizes, heard, lengths)
                at += len(header) + sum(sizes)
                heard += 1024 * len(sizes)
        parts.append(index.trailer(at, len(init)))
        with path.open("wb") as file:
            file.writelines(parts)
            total += file.tell()
    return total


def clip_first_byte_s(volume: Path, seconds: int) -> float:
    begun = time.perf_counter()
    clip = build_clip(Catalog(lambda: [volume]), CAMERA, "main", START_MS, START_MS + seconds * 1000)
    next(clip.iter_bytes())
    return time.perf_counter() - begun


def concat_copy(names: Path, output: str) -> list[str]:
    """The peer: ffmpeg joining the listed files into a fragmented MP4 without transcoding."""
    read = ["-v", "error", "-nostdin", "-f", "concat", "-safe", "0", "-i", str(names)]
    write = ["-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "-y", output]
    return ["ffmpeg", *read, *write]


def ffmpeg_first_byte_s(volume: Path, names: Path) -> float:
    begun = time.perf_counter()
    command = concat_copy(names, "-")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as ffmpeg:
        ffmpeg.stdout.read(1)
        taken = time.perf_counter() - begun
        ffmpeg.kill()
    return taken


def stream_s(volume: Path, seconds: int) -> float:
    begun = time.perf_counter()
    clip = build_clip(Catalog(lambda: [volume]), CAMERA, "main", START_MS, START_MS + seconds * 1000)
    for _ in clip.iter_bytes():
        pass
    return time.perf_counter() - begun


def ffmpeg_stream_s(names: Path) -> float:
    begun = time.perf_counter()
    command = concat_copy(names, "/dev/null")
    subprocess.run(command, check=True)
    return time.perf_counter() - begun


def say(bench: str, ours: list[float], peer: list[float] | None, unit: str, **more: object) -> None:
    mine = statistics.median(ours)
    theirs = statistics.median(peer) if peer else None
    ratio = round(mine / theirs, 4) if theirs else None
    line = {"bench": bench, "ours": round(mine, 2), "peer": theirs and round(theirs, 2), "ratio": ratio}
    print(json.dumps(line | {"unit": unit, "n": len(ours)} | more), flush=True)


def bench_hour(volume: Path, runs: int) -> None:
    names = volume / "concat.txt"
    paths = sorted(volume.glob(f"{CAMERA}/main/*/*/*.mp4"))
    names.write_text("".join(f"file '{path}'\n" for path in paths))
    ours, peer, ours_all, peer_all = [], [], [], []
    for _ in range(runs):
        ours.append(clip_first_byte_s(volume, 3600) * 1000)
        peer.append(ffmpeg_first_byte_s(volume, names) * 1000)
        ours_all.append(stream_s(volume, 3600))
        peer_all.append(ffmpeg_stream_s(names))
    say("clip 1 h: first byte, cold index", ours, peer, "ms", worst=round(max(ours), 1))
    say("clip 1 h: whole", ours_all, peer_all, "s")


def bench_day(volume: Path, runs: int) -> None:
    day_ms = 86_400_000
    peer: list[float] = []
    for name, ask in {
        "clip 24 h: first byte, cold index": lambda: clip_first_byte_s(volume, 86_400),
        "playlist 24 h, cold index": lambda: _timed(
            lambda catalog: build_playlist(
                catalog, CAMERA, "main", START_MS, START_MS + day_ms, now_ms=START_MS + day_ms
            ),
            volume,
        ),
        "span 10 s in a day, cold": lambda: _timed(
            lambda catalog: read_span(catalog, CAMERA, "main", START_MS + 40_000_000, START_MS + 40_010_000),
            volume,
        ),
    }.items():
        say(name, [ask() * 1000 for _ in range(runs)], peer, "ms")
    for hours in (1, 6, 24):
        done = subprocess.run(
            [sys.executable, __file__, "--stream", str(volume), "--hours", str(hours)],
            capture_output=True,
            check=True,
            text=True,
        )
        measured = json.loads(done.stdout)
        say(
            f"clip {hours} h of small frames: peak RSS while streaming",
            [measured["peak_mb"]],
            None,
            "MB",
            **measured,
        )


def _timed(ask, volume: Path) -> float:
    begun = time.perf_counter()
    ask(Catalog(lambda: [volume]))
    return time.perf_counter() - begun


def stream_and_measure(volume: Path, hours: int) -> None:
    """In a child: peak memory of building and of streaming a clip."""
    before = _peak_mb()
    begun = time.perf_counter()
    clip = build_clip(Catalog(lambda: [volume]), CAMERA, "main", START_MS, START_MS + hours * 3_600_000)
    built_s, built_mb, moved = time.perf_counter() - begun, _peak_mb(), 0
    for piece in clip.iter_bytes():
        moved += len(piece)
    measured = {
        "imports_mb": before,
        "built_mb": built_mb,
        "peak_mb": _peak_mb(),
        "build_s": round(built_s, 2),
        "whole_s": round(time.perf_counter() - begun, 2),
        "clip_mb": moved >> 20,
    }
    print(json.dumps(measured))


def _peak_mb() -> float:
    # Not ru_maxrss: a child inherits its parent's.
    status = Path("/proc/self/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, help="keep the footage here (default: a temporary directory)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--stream", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--hours", type=int, default=24, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stream:
        stream_and_measure(options.stream, options.hours)
        return
    root = options.directory or Path(tempfile.mkdtemp(prefix="heron-bench-"))
    try:
        for name, seconds, frame_bytes in (("hour", 3600, 13_300), ("day", 86_400, 200)):
            if not (root / name).exists():
                make_archive(root / name, seconds, frame_bytes)
        os.sync()
        bench_hour(root / "hour", options.runs)
        bench_day(root / "day", options.runs)
    finally:
        if options.directory is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()

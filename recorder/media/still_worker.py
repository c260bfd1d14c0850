"""Child process of `stills`: fMP4 of a few frames in by stdin, a JPEG of the wanted one out by stdout, again and again.

Runs libav on camera bytes, so it may crash or hang; its parent copes. Bounded in memory. Ends with its stdin.
"""

from __future__ import annotations

import os
import resource
import sys
from fractions import Fraction
from io import BytesIO

import av

from recorder.media.stills import ANSWER, REQUEST

MAX_MEMORY_BYTES = 2 << 30
NICE = 5


def decode_still(content: bytes, width_px: int, ticks: int) -> bytes:
    """JPEG of the frame shown at `ticks` (90 kHz). Raises `ValueError`, `av.error.FFmpegError`."""
    best = None
    with av.open(BytesIO(content), "r", format="mp4") as container:
        stream = container.streams.video[0]
        stream.thread_count = 2
        stream.thread_type = "SLICE"
        for frame in container.decode(stream):
            if best is None or (frame.pts is not None and frame.pts <= ticks):
                best = frame
    if best is None:
        raise ValueError("no picture")
    width, height = best.width, best.height
    if width_px and width_px < width:
        width, height = width_px, max(2, round(height * width_px / width))
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": "3", "qmax": "5", "color_range": "pc"}
    picture = best.reformat(width, height, "yuvj420p")
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    os.nice(NICE)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        size, width_px, ticks = REQUEST.unpack(head)
        content = source.read(size)
        try:
            answer = (1, decode_still(content, width_px, ticks))
        except (ValueError, MemoryError, av.error.FFmpegError) as err:
            answer = (0, type(err).__name__.encode())
        sink.write(ANSWER.pack(answer[0], len(answer[1])) + answer[1])
        sink.flush()


if __name__ == "__main__":
    main()

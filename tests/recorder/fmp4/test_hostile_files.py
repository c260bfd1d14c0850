"""Mutated files give `ValueError` or a result that is true to the file's size, in bounded time and memory."""

from __future__ import annotations

import contextlib
import os
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.fmp4 import FragmentScanner, parse_init, read_segment_index
from recorder.fmp4.moof import read_fragment

from .clips import encode_audio, encode_video, with_audio, write

WRITTEN = write(with_audio(encode_video(count=8, b_frames=2), encode_audio(seconds=0.5)))
COMPLETE = WRITTEN.complete
STRUCTURE = sorted(
    {
        *range(len(WRITTEN.init)),
        *(at + step for at in WRITTEN.borders[:-1] for step in range(112)),
        *range(WRITTEN.borders[-1], len(COMPLETE)),
    }
)
VALUES = st.integers(0, 255) | st.sampled_from([0, 1, 8, 0x7F, 0x80, 0xFF])


@st.composite
def mutated(draw) -> bytes:
    content = bytearray(COMPLETE)
    for at, value in draw(st.lists(st.tuples(st.sampled_from(STRUCTURE), VALUES), min_size=1, max_size=12)):
        content[at] = value
    for at in draw(st.lists(st.sampled_from(STRUCTURE), max_size=2)):
        content[at : at + 4] = draw(st.sampled_from([b"\0\0\0\0", b"\xff" * 4, b"\0\0\0\1", b"\0\1\0\0"]))
    start, stop = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    kind = draw(st.sampled_from(["keep", "keep", "cut", "drop", "repeat"]))
    if kind == "cut":
        del content[stop:]
    elif kind == "drop":
        del content[start:stop]
    elif kind == "repeat":
        content[stop:stop] = content[start:stop]
    return bytes(content)


def read_back(content: bytes):
    fd = os.memfd_create("segment")
    try:
        os.write(fd, content)
        return read_segment_index(fd)
    finally:
        os.close(fd)


@settings(max_examples=500, deadline=2000)
@given(mutated())
def test_reader_tells_nothing_that_lies_outside_the_file(content):
    with contextlib.suppress(ValueError):
        index = read_back(content)
        assert index.media_start <= index.media_end <= len(content)
        for track in (index.video, index.audio):
            if track is None:
                continue
            count = len(track)
            columns = (
                track.decode_times,
                track.durations,
                track.cts_offsets,
                track.offsets,
                track.fragment_offsets,
            )
            assert {len(column) for column in columns} == {count}
            assert list(track.decode_times) == sorted(track.decode_times)
            for at, size in zip(track.offsets, track.sizes, strict=True):
                assert index.media_start <= at and at + size <= index.media_end
            assert all(number < count for number in track.keyframes)
        with contextlib.suppress(ValueError):
            index.trailer()
        with contextlib.suppress(ValueError):
            parse_init(index.init)


@settings(max_examples=400, deadline=2000)
@given(mutated(), st.integers(1, 5000))
def test_scanner_raises_only_value_error_and_goes_forward(content, step):
    scanner = FragmentScanner()
    end = 0
    with contextlib.suppress(ValueError):
        for at in range(0, len(content), step):
            for fragment in scanner.feed(content[at : at + step]):
                assert end <= fragment.offset and fragment.offset + fragment.length <= at + step
                end = fragment.offset + fragment.length


@settings(max_examples=300, deadline=1000)
@given(st.binary(max_size=300))
def test_random_bytes_are_no_fragment_and_no_init(payload):
    for source in (
        payload,
        WRITTEN.media[0][:24] + payload,
        len(payload).to_bytes(4, "big") + b"moof" + payload,
    ):
        with contextlib.suppress(ValueError):
            read_fragment(source, 0)
    for source in (payload, WRITTEN.init[: len(WRITTEN.init) - len(payload)] + payload):
        with contextlib.suppress(ValueError):
            parse_init(source)


def test_a_small_file_cannot_claim_much_memory():
    """Runs and counts of the largest kind in every structural word, one at a time."""
    trailer_start = WRITTEN.borders[-1]
    tracemalloc.start()
    try:
        for at in [*range(0, len(WRITTEN.init) - 4, 4), *range(trailer_start, len(COMPLETE) - 4, 8)]:
            content = bytearray(COMPLETE)
            content[at : at + 4] = b"\x7f\xff\xff\xff"
            with contextlib.suppress(ValueError):
                read_back(bytes(content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_scanner_holds_no_media_bytes():
    scanner = FragmentScanner()
    scanner.feed(WRITTEN.init)
    header = WRITTEN.media[0][:96]
    big = bytearray(112)
    from recorder.fmp4 import video_fragment_header

    big[:] = video_fragment_header(1, 1, 1, 50 << 20, True, 0)
    assert header and scanner.feed(bytes(big)) == []
    block = bytes(1 << 20)
    tracemalloc.start()
    try:
        found = [fragment for _ in range(50) for fragment in scanner.feed(block)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 1
    assert peak < 1 << 20

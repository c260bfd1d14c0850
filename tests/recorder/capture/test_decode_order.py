"""Decoding times rise strictly, presentation times stay what they were."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.decode_order import DecodeOrder


def pattern(kind: str, groups: int) -> list[int]:
    """Presentation numbers in decoding order."""
    if kind == "none":
        return list(range(groups * 3))
    shown = [0]
    for group in range(groups):
        if kind == "flat":  # I P B B
            base = group * 3
            shown += [base + 3, base + 1, base + 2]
        else:  # pyramid: P8 B4 B2 B1 B3 B6 B5 B7
            base = group * 8
            shown += [base + number for number in (8, 4, 2, 1, 3, 6, 5, 7)]
    return shown


@given(
    st.sampled_from([("none", 0), ("flat", 1), ("flat", 2), ("pyramid", 3), ("pyramid", 4)]),
    st.integers(1, 40),
)
def test_with_the_right_depth_no_frame_is_shown_before_it_is_decoded(case: tuple[str, int], groups: int) -> None:
    kind, depth = case
    presentation = [1_000_000 + number * 3000 for number in pattern(kind, groups)]
    order = DecodeOrder(depth, presentation[0], 3000)
    decode = [order.decode_time(time) for time in presentation]
    assert all(earlier < later for earlier, later in itertools.pairwise(decode))
    assert all(decoded <= shown for decoded, shown in zip(decode, presentation, strict=True))
    assert order.depth == depth


@given(st.integers(2, 40))
def test_an_undeclared_depth_is_learnt(groups: int) -> None:
    presentation = [number * 3000 for number in pattern("pyramid", groups)]
    order = DecodeOrder(0, presentation[0], 3000)
    decode = [order.decode_time(time) for time in presentation]
    assert all(earlier < later for earlier, later in itertools.pairwise(decode))
    learnt = list(zip(decode, presentation, strict=True))[9:]
    assert all(decoded <= shown for decoded, shown in learnt)


@given(st.lists(st.integers(0, 1 << 50), min_size=1, max_size=200), st.integers(0, 16))
def test_any_times_give_rising_decoding_times(presentation: list[int], depth: int) -> None:
    order = DecodeOrder(depth, presentation[0], 3000)
    decode = [order.decode_time(time) for time in presentation]
    assert all(earlier < later for earlier, later in itertools.pairwise(decode))

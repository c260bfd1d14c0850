"""F33 and F35: capture killed with -9, and the power cut, at random moments, again and again on one archive.

Short here; `make soak` does the same hundreds of times.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rig.conftest import SIZES, Disks
from tests.rig.crashes import CrashSeries
from tests.rig.recorder import Recorder

KILLS = 20
CUTS = 10
CAMERAS = 6


@pytest.mark.slow
def test_f33_killed_capture_loses_no_segment_and_comes_back(
    recorder: Callable[..., Recorder], simcam: Callable, rng: random.Random
) -> None:
    series = CrashSeries(recorder(), simcam(CAMERAS, *SIZES), CAMERAS, rng)
    series.start()
    for _ in range(KILLS):
        series.kill()
    figures = series.finish()
    assert figures["crashes"] == KILLS
    assert figures["lost_segments"] == figures["unreadable_files"] == 0, figures
    assert figures["tail_max_s"] <= 1.0, figures
    assert figures["back_p99_s"] <= 2.0, figures
    assert not figures["complaints"], figures["complaints"]


@pytest.mark.slow
def test_f35_power_cut_loses_no_segment_and_little_tail(
    recorder: Callable[..., Recorder], simcam: Callable, disks: Disks, rng: random.Random
) -> None:
    system, archive = disks.ext4("system"), disks.ext4("archive")
    cameras = simcam(CAMERAS, *SIZES)
    series = CrashSeries(
        recorder([archive.path], home=system.path / "home"), cameras, CAMERAS, rng, disks=[system, archive]
    )
    series.start()
    for _ in range(CUTS):
        series.cut_power()
    figures = series.finish()
    assert figures["crashes"] == CUTS
    assert figures["lost_segments"] == figures["unreadable_files"] == 0, figures
    assert figures["tail_max_s"] <= 2.0, figures
    assert not figures["complaints"], figures["complaints"]
    assert not list(Path(archive.path).rglob("*.part"))

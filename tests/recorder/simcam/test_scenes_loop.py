"""Every scene moves, and its last picture leads into its first."""

from __future__ import annotations

import numpy as np
import pytest

from recorder.simcam.scenes import SCENES

_NOTICEABLE = 25  # grey levels


def _changed(scene, before: float, after: float) -> int:
    pictures = [scene.picture(phase, 0)[: scene.height_px].astype(int) for phase in (before, after)]
    return int((np.abs(pictures[0] - pictures[1]) > _NOTICEABLE).sum())


@pytest.mark.parametrize("name", SCENES)
def test_scene_moves_and_loops_without_a_jump(name):
    scene = SCENES[name](640, 360)
    assert _changed(scene, 0, 0.25) > 100
    assert _changed(scene, 0.99999, 0) < 60

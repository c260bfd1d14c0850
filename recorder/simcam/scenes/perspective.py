"""A pinhole camera for the scenes: metres in a place become units of the picture.

x to the right, y away from the camera, z up; the camera stands over the origin, `height_m` up, looking
along y and `pitch_deg` down.
"""

from __future__ import annotations

import math

import numpy as np

from .canvas import Colour, Scene, lit

NEAR_M = 0.3


class View:
    def __init__(
        self, height_m: float, pitch_deg: float, focal: float, pan_deg: float = 0.0, centre_y: float = 540
    ) -> None:
        pitch, pan = math.radians(pitch_deg), math.radians(pan_deg)
        self.eye = np.array([0.0, 0.0, height_m])
        turn = np.array([[math.cos(pan), -math.sin(pan), 0], [math.sin(pan), math.cos(pan), 0], [0, 0, 1]])
        tilt = np.array([[1, 0, 0], [0, math.sin(pitch), math.cos(pitch)], [0, math.cos(pitch), -math.sin(pitch)]])
        self._axes = tilt @ turn
        self.focal = focal
        self._centre_y = centre_y

    def at(self, points: object) -> np.ndarray:
        """Points (n, 3) in metres to (n, 2) in the picture."""
        seen = (np.asarray(points, float).reshape(-1, 3) - self.eye) @ self._axes.T
        depth = np.maximum(seen[:, 2], NEAR_M)
        return np.stack([960 + self.focal * seen[:, 0] / depth, self._centre_y - self.focal * seen[:, 1] / depth], 1)

    def spot(self, x: float, y: float, z: float = 0.0) -> tuple[float, float]:
        point = self.at((x, y, z))[0]
        return float(point[0]), float(point[1])

    def depth(self, point: object) -> float:
        return float(((np.asarray(point, float) - self.eye) @ self._axes.T)[2])

    def distance(self, points: np.ndarray) -> float:
        return float(np.linalg.norm(points.mean(axis=0) - self.eye))

    def metre(self, x: float, y: float, z: float = 0.0) -> float:
        """How many units of the picture a metre is there."""
        return self.focal / max(NEAR_M, self.depth((x, y, z)))


def face(scene: Scene, view: View, corners: object, colour: Colour) -> None:
    scene.polygon(view.at(corners), colour)


def ground(scene: Scene, view: View, x0: float, y0: float, x1: float, y1: float, colour: Colour, z: float = 0) -> None:
    """A rectangle lying at height `z`."""
    face(scene, view, [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour)


def cuboid(
    scene: Scene, view: View, low: tuple[float, float, float], high: tuple[float, float, float], colour: Colour,
    light: tuple[float, float, float] = (1.15, 0.85, 0.7),
) -> None:  # fmt: skip
    """A box along the axes; `light` on its top, front and sides. Only faces turned to the camera are painted."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    eye_z = view.eye[2]
    if x0 > 0:
        face(scene, view, [(x0, y0, z0), (x0, y1, z0), (x0, y1, z1), (x0, y0, z1)], lit(colour, light[2]))
    if x1 < 0:
        face(scene, view, [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)], lit(colour, light[2]))
    if z1 < eye_z:
        face(scene, view, [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], lit(colour, light[0]))
    elif z0 > eye_z:
        face(scene, view, [(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)], lit(colour, 0.5))
    face(scene, view, [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)], lit(colour, light[1]))

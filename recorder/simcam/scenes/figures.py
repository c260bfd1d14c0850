"""What moves through the scenes: cars and people, of a few dozen polygons each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from .canvas import Colour, Scene, lit, mixed
from .perspective import View

_Place = Callable[[float, float, float], np.ndarray]

_GLASS = (38, 48, 58)
# Side view of a car, metres along and up, from the tail over the roof to the nose
_PROFILE = [
    (-2.15, 0.32), (-2.2, 0.62), (-2.12, 0.92), (-1.62, 0.98), (-1.05, 1.40), (-0.2, 1.47), (0.42, 1.42),
    (1.12, 1.00), (2.0, 0.82), (2.18, 0.60), (2.15, 0.32),
]  # fmt: skip
_GLASS_STRIPS = {3: True, 6: True}  # the strips that are rear window and windscreen
_SIDE_WINDOW = [(-1.42, 0.99), (-0.95, 1.33), (-0.2, 1.39), (0.36, 1.34), (0.92, 1.01)]


def draw_car(
    scene: Scene, view: View, x: float, y: float, heading_deg: float, colour: Colour, *,
    light: float = 1.0, has_lamps: bool = False, has_shadow: bool = True, size: float = 1.0,
) -> None:  # fmt: skip
    """`heading_deg` 0 drives to the right, 90 away from the camera."""
    angle = math.radians(heading_deg)
    cos, sin = math.cos(angle) * size, math.sin(angle) * size

    def place(along: float, across: float, up: float) -> np.ndarray:
        return np.array([x + along * cos - across * sin, y + along * sin + across * cos, up * size])

    if has_shadow:
        low = [place(-2.35, -1.05, 0), place(2.35, -1.05, 0), place(2.35, 1.15, 0), place(-2.35, 1.15, 0)]
        scene.shade(view.at(low), 0.45)
    faces: list[tuple[float, np.ndarray, Colour]] = []
    for at, ((a0, z0), (a1, z1)) in enumerate(itertools.pairwise(_PROFILE)):
        inset = 0.12 if z0 + z1 > 2.3 else 0.0
        half = 0.9 - inset
        corners = np.array([place(a0, -half, z0), place(a0, half, z0), place(a1, half, z1), place(a1, -half, z1)])
        flat = abs(a1 - a0) / math.hypot(a1 - a0, z1 - z0)
        paint = _GLASS if at in _GLASS_STRIPS else lit(colour, 0.72 + 0.43 * flat)
        faces.append((view.distance(corners), corners, lit(paint, light)))
    for _, corners, paint in sorted(faces, key=lambda entry: -entry[0]):
        scene.polygon(view.at(corners), paint)
    _draw_ends(scene, view, place, light)
    for side in (-0.9, 0.9):
        if np.linalg.norm(place(0, side, 0) - view.eye) < np.linalg.norm(place(0, 0, 0) - view.eye):
            _draw_side(scene, view, place, side, colour, light)
    if has_lamps:
        _draw_lamps(scene, view, place)


def _draw_side(scene: Scene, view: View, place: _Place, side: float, colour: Colour, light: float) -> None:
    scene.polygon(
        view.at([place(a, side * (0.87 if z > 1.1 else 1.0), z) for a, z in _PROFILE]),
        lit(colour, 0.64 * light),
    )
    sill = [(-2.15, 0.32), (-2.17, 0.46), (2.17, 0.46), (2.15, 0.32)]
    scene.polygon(view.at([place(a, side, z) for a, z in sill]), lit(colour, 0.36 * light))
    scene.polygon(
        view.at([place(a, side * (0.885 if z > 1.1 else 1.0), z) for a, z in _SIDE_WINDOW]),
        lit(_GLASS, light),
    )
    pillar = view.at([place(-0.3, side * 0.97, 0.99), place(-0.3, side * 0.87, 1.38)])
    scene.line(pillar, lit(colour, 0.5 * light), 0.07 * view.metre(*place(0, side, 1)))
    turns = np.linspace(0, 2 * math.pi, 18)
    for wheel in (-1.32, 1.32):
        for radius, paint in ((0.34, (22, 22, 24)), (0.18, (110, 112, 116))):
            rim = [place(wheel + radius * math.cos(t), side * 1.01, 0.33 + radius * math.sin(t)) for t in turns]
            scene.polygon(view.at(rim), lit(paint, light))


def _draw_ends(scene: Scene, view: View, place: _Place, light: float) -> None:
    """Lamps, plate and grille of the end that is turned to the camera."""
    is_front = np.linalg.norm(place(2, 0, 0) - view.eye) < np.linalg.norm(place(-2, 0, 0) - view.eye)
    end = 2.19 if is_front else -2.22

    def patch(low: float, high: float, bottom: float, top: float, colour: Colour) -> None:
        corners = [
            place(end, low, bottom),
            place(end, high, bottom),
            place(end, high, top),
            place(end, low, top),
        ]
        scene.polygon(view.at(corners), lit(colour, light))

    patch(-0.88, 0.88, 0.32, 0.42, (34, 34, 36))
    patch(-0.24, 0.24, 0.44, 0.54, (226, 224, 206))
    lamp = (234, 236, 228) if is_front else (158, 28, 26)
    patch(-0.84, -0.5, 0.6, 0.74, lamp)
    patch(0.5, 0.84, 0.6, 0.74, lamp)
    if is_front:
        patch(-0.42, 0.42, 0.6, 0.7, (40, 42, 44))


def _draw_lamps(scene: Scene, view: View, place: _Place) -> None:
    for across in (-0.66, 0.66):
        front, back = place(2.17, across, 0.66), place(-2.17, across, 0.74)
        is_coming = view.depth(front) < view.depth(back)
        spot = view.at(front if is_coming else back)[0]
        metre = view.focal / max(0.5, view.depth(front if is_coming else back))
        colour = (255, 238, 205) if is_coming else (215, 30, 24)
        scene.glow((float(spot[0]), float(spot[1])), max(5, (1.5 if is_coming else 0.9) * metre), colour, 0.55)
        scene.ellipse(
            (float(spot[0]), float(spot[1])),
            (0.13 * metre, 0.09 * metre),
            mixed(colour, (255, 255, 255), 0.3),
        )


def draw_person(
    scene: Scene,
    view: View,
    x: float,
    y: float,
    step: float,
    coat: Colour,
    trousers: Colour,
    *,
    direction: int = 1,
    height_m: float = 1.76,
    hair: Colour = (52, 40, 32),
    bag: Colour | None = None,
    light: float = 1.0,
) -> None:
    """A walker from the side; `step` counts double steps, `direction` 1 walks to the right, 0 stands."""
    metre = view.metre(x, y, 0.9) * height_m / 1.76
    foot = view.spot(x, y)
    scene.shade(
        [(foot[0] + metre * 0.42 * math.cos(t), foot[1] + metre * 0.13 * math.sin(t)) for t in np.linspace(0, 6.2, 14)],
        0.6,
    )
    swing = math.sin(2 * math.pi * step) if direction else 0.0
    bounce = 0.025 * abs(math.cos(2 * math.pi * step)) if direction else 0.0

    def at(dx: float, up: float) -> tuple[float, float]:
        return foot[0] + dx * metre * (direction or 1), foot[1] - (up + bounce) * metre

    skin, coat, trousers, hair = (lit(part, light) for part in ((214, 172, 145), coat, trousers, hair))
    far = lit(coat, 0.72)
    _limb(scene, [at(0, 1.38), at(swing * 0.16, 1.1), at(swing * 0.3 + 0.05, 0.86)], far, 0.11 * metre)
    for sign, shade in ((-1, 0.75), (1, 1.0)):
        lift = max(0.0, math.cos(2 * math.pi * step) * sign) * 0.1 if direction else 0.0
        reach = swing * sign * 0.36 if direction else sign * 0.09
        paint = lit(trousers, shade)
        knee, heel = at(reach * 0.55 + 0.04, 0.48 + lift * 0.5), at(reach, 0.07 + lift)
        _limb(scene, [at(0, 0.9), knee, heel], paint, 0.16 * metre)
        _limb(
            scene,
            [heel, (heel[0] + 0.13 * metre * (direction or 1), heel[1] + 0.03 * metre)],
            lit((34, 30, 30), light),
            0.09 * metre,
        )
    body = [
        (-0.17, 0.84),
        (-0.2, 1.1),
        (-0.19, 1.36),
        (-0.1, 1.47),
        (0.1, 1.47),
        (0.18, 1.34),
        (0.17, 1.1),
        (0.17, 0.84),
    ]
    scene.polygon([at(*point) for point in body], coat)
    scene.polygon([at(*point) for point in body[:4]], lit(coat, 0.84))
    scene.polygon([at(-0.05, 1.44), at(0.06, 1.44), at(0.07, 1.55), at(-0.04, 1.55)], lit(skin, 0.85))
    scene.ellipse(at(0.02, 1.64), (0.1 * metre, 0.125 * metre), skin)
    scene.ellipse(at(-0.015, 1.68), (0.108 * metre, 0.1 * metre), hair)
    if bag is not None:
        hand = at(-swing * 0.3 + 0.05, 0.82)
        paint = lit(bag, light)
        scene.polygon(
            [
                (hand[0] - 0.2 * metre, hand[1]),
                (hand[0] + 0.2 * metre, hand[1]),
                (hand[0] + 0.2 * metre, hand[1] + 0.3 * metre),
                (hand[0] - 0.2 * metre, hand[1] + 0.3 * metre),
            ],
            paint,
        )
    _limb(
        scene,
        [at(0, 1.38), at(-swing * 0.16, 1.1), at(-swing * 0.3 + 0.05, 0.86)],
        lit(coat, 1.12),
        0.11 * metre,
    )
    scene.ellipse(at(-swing * 0.3 + 0.05, 0.84), (0.05 * metre, 0.05 * metre), skin)


def _limb(scene: Scene, points: list[tuple[float, float]], colour: Colour, width: float) -> None:
    scene.line(points, colour, width)
    for point in points:
        scene.ellipse(point, (width / 2, width / 2), colour)

"""An aisle of a warehouse: high racks on both sides, a forklift and a worker who cross where the
aisles meet.
"""

from __future__ import annotations

import math

import numpy as np

from .canvas import Colour, Scene, lit, mixed, wave
from .figures import draw_person
from .perspective import View, cuboid, face, ground

_SIDE_M = 3.1
_DEEP_M = 1.3
_CROSSING = (9.6, 15.4)
_END_M = 46.0
_HEIGHT_M = 8.5
_LEVELS_M = (0.0, 2.0, 4.0, 6.0)
_BOXES = [(168, 128, 84), (182, 146, 102), (150, 112, 72), (198, 192, 180), (120, 132, 140), (176, 138, 92)]


class Warehouse(Scene):
    title = "Warehouse aisle 3"
    grain = 2.4

    def paint_background(self) -> None:
        self.view = view = View(4.3, 9, 1130)
        self.gradient(0, 1080, [(0, (58, 62, 68)), (0.4, (92, 96, 100)), (1, (98, 99, 98))])
        self._paint_hall(view)
        for y in (41, 37, 33, 29, 25, 21, 17):
            self._paint_bay(view, y, y + 3.9)
        with self.front():
            for near in (4.9, 0.9):
                self._paint_bay(view, near, near + 3.9)
        self.vignette(0.36)

    def _paint_hall(self, view: View) -> None:
        for step in range(90):  # the floor, lighter under the lamps and towards the gate
            y = 0.8 + step * 0.5
            share = 0.35 + 0.25 * math.cos(y * math.pi / 3) + y / 110
            ground(self, view, -30, y, 30, y + 0.52, mixed((88, 90, 90), (142, 142, 138), min(1, share)))
        face(
            self,
            view,
            [(-30, _END_M, 0), (30, _END_M, 0), (30, _END_M, _HEIGHT_M), (-30, _END_M, _HEIGHT_M)],
            (122, 124, 122),
        )
        cuboid(self, view, (-2.4, _END_M - 0.1, 0), (2.4, _END_M - 0.05, 4.6), (212, 226, 234))
        cuboid(self, view, (-2.4, _END_M - 0.2, 3.2), (2.4, _END_M - 0.15, 4.6), (150, 156, 160))
        ground(self, view, -30, 0.5, 30, _END_M, (66, 70, 76), _HEIGHT_M)
        self.glow(view.spot(0, _END_M, 2), 170, (90, 96, 100), 0.9)
        for y in range(3, 46, 6):
            ground(self, view, -30, y, 30, y + 0.35, (46, 50, 56), _HEIGHT_M - 0.3)
            ground(self, view, -0.5, y + 2, 0.5, y + 4.4, (255, 252, 238), _HEIGHT_M - 0.6)
            self.glow(view.spot(0, y + 3, _HEIGHT_M - 0.6), 1.9 * view.metre(0, y + 3, 8), (96, 94, 84), 0.8)
        for x in (-2.55, 2.45):
            ground(self, view, x, 0.8, x + 0.1, _CROSSING[0], (206, 172, 56))
            ground(self, view, x, _CROSSING[1] + 0.6, x + 0.1, 45, (206, 172, 56))
        for y in _CROSSING:
            ground(self, view, -12, y, 12, y + 0.12, (206, 172, 56))
        for stripe in range(9):
            x = -2.2 + stripe * 0.52
            ground(self, view, x, 9.9, x + 0.26, 11.0, (208, 208, 202))
        self.texture(500, 1080, 2.2, 1.2)

    def _paint_bay(self, view: View, near: float, far: float) -> None:
        fade = max(0.62, 1.05 - near / 85)
        for side in (-1, 1):
            inner, outer = side * _SIDE_M, side * (_SIDE_M + _DEEP_M)
            wall = [
                (outer, near, 0),
                (outer, far, 0),
                (outer, far, _HEIGHT_M - 1),
                (outer, near, _HEIGHT_M - 1),
            ]
            face(self, view, wall, lit((52, 54, 58), fade))
            for level in _LEVELS_M:
                self._paint_goods(view, side, near, far, level, fade)
                beam = lit((198, 96, 40), fade)
                shelf = [
                    (inner, near, level + 1.86),
                    (inner, far, level + 1.86),
                    (inner, far, level + 2.0),
                    (inner, near, level + 2.0),
                ]
                face(self, view, shelf, beam)
            for y in (far, near):
                low, high = sorted((inner, inner + side * 0.1))
                cuboid(
                    self,
                    view,
                    (low, y - 0.06, 0),
                    (high, y + 0.06, _HEIGHT_M - 0.4),
                    lit((40, 74, 122), fade),
                )

    def _paint_goods(self, view: View, side: int, near: float, far: float, level: float, fade: float) -> None:
        width = (far - near) / 3
        for place in (2, 1, 0):
            if self.random.random() < 0.13:
                continue
            y0 = near + 0.12 + place * width
            y1, top = y0 + width - 0.2, level + 0.17 + self.random.uniform(0.85, 1.5)
            low, high = sorted((side * (_SIDE_M + 0.08), side * (_SIDE_M + _DEEP_M - 0.1)))
            paint = lit(_BOXES[int(self.random.integers(len(_BOXES)))], fade * self.random.uniform(0.86, 1.08))
            cuboid(self, view, (low, y0, level + 0.02), (high, y1, level + 0.15), lit((134, 102, 68), fade))
            cuboid(self, view, (low, y0, level + 0.17), (high, y1, top), paint, (1.15, 0.8, 0.94))
            inner = side * (_SIDE_M + 0.07)
            middle = (y0 + y1) / 2
            self.line(view.at([(inner, middle, level + 0.17), (inner, middle, top)]), lit(paint, 0.78), 1.5)
            label = [
                (inner, y0 + 0.12, level + 0.4),
                (inner, y0 + 0.42, level + 0.4),
                (inner, y0 + 0.42, level + 0.62),
                (inner, y0 + 0.12, level + 0.62),
            ]
            face(self, view, label, lit((226, 224, 216), fade))

    def paint_motion(self, phase: float) -> None:
        worker = (phase + 0.5) % 1
        draw_person(
            self,
            self.view,
            7.7 - worker * 15.4,
            14.4,
            worker * 8,
            (220, 142, 34),
            (48, 56, 74),
            direction=-1,
            hair=(226, 200, 60),
            light=0.95,
        )
        self._paint_forklift(-8.9 + 16.8 * phase, 12.4, phase)

    def _paint_forklift(self, x: float, y: float, phase: float) -> None:
        view = self.view
        self.shade(
            view.at([(x - 1.5, y - 0.8, 0), (x + 2.4, y - 0.8, 0), (x + 2.4, y + 0.8, 0), (x - 1.5, y + 0.8, 0)]),
            0.55,
        )

        def block(low: tuple[float, float, float], high: tuple[float, float, float], paint: Colour) -> None:
            cuboid(
                self,
                view,
                (x + low[0], y + low[1], low[2]),
                (x + high[0], y + high[1], high[2]),
                paint,
                (1.1, 0.9, 0.7),
            )

        yellow, dark = (222, 164, 36), (46, 48, 50)
        lift = 0.3 + 0.05 * wave(phase, 4)
        block((1.2, -0.55, lift), (2.35, 0.55, lift + 0.06), dark)
        block((1.25, -0.55, lift + 0.06), (2.3, 0.55, lift + 0.17), (134, 102, 68))
        block((1.3, -0.5, lift + 0.17), (2.25, 0.5, lift + 1.05), (178, 138, 92))
        block((0.95, -0.5, 0.1), (1.12, 0.5, 2.5), (58, 60, 64))
        block((-1.3, -0.6, 0.35), (0.9, 0.6, 0.95), yellow)
        block((-1.35, -0.6, 0.35), (-0.6, 0.6, 1.25), lit(yellow, 0.9))
        for post in ((-0.55, -0.5), (0.7, -0.5)):
            block((post[0], post[1], 0.95), (post[0] + 0.08, post[1] + 0.08, 2.15), dark)
        seat = view.spot(x - 0.1, y, 1.0)
        metre = view.metre(x, y, 1.2)
        self.polygon(
            [
                (seat[0] - 0.2 * metre, seat[1]),
                (seat[0] + 0.24 * metre, seat[1]),
                (seat[0] + 0.16 * metre, seat[1] - 0.55 * metre),
                (seat[0] - 0.14 * metre, seat[1] - 0.55 * metre),
            ],
            (204, 96, 34),
        )
        self.ellipse((seat[0] + 0.02 * metre, seat[1] - 0.7 * metre), (0.11 * metre, 0.13 * metre), (206, 166, 140))
        self.ellipse((seat[0] + 0.01 * metre, seat[1] - 0.76 * metre), (0.12 * metre, 0.09 * metre), (232, 232, 226))
        block((-0.7, -0.55, 2.15), (0.85, 0.55, 2.23), dark)
        turns = np.linspace(0, 2 * math.pi, 18)
        for wheel, radius in ((-0.85, 0.28), (0.6, 0.34)):
            for part, paint in ((1.0, (24, 24, 26)), (0.45, (150, 146, 138))):
                rim = [
                    (x + wheel + part * radius * math.cos(t), y - 0.62, radius + part * radius * math.sin(t))
                    for t in turns
                ]
                self.polygon(view.at(rim), paint)
        shine = max(0.0, wave(phase, 8))
        self.glow(view.spot(x - 0.4, y, 2.3), 16 + 60 * shine, (255, 168, 40), 0.3 + 0.7 * shine)

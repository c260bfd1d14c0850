"""A road bridge at the blue hour: traffic both ways, the lights of a town behind."""

from __future__ import annotations

import math

from .canvas import Scene, lit, mixed, wave
from .figures import draw_car
from .perspective import View, cuboid, ground

_PAINTS = [(150, 152, 156), (96, 34, 34), (46, 58, 84), (176, 176, 172), (40, 42, 46), (72, 84, 78)]
_REACH_M = 150.0
_NEAR_M = 4.0


class Bridge(Scene):
    title = "Bridge east"
    grain = 2.6

    def paint_background(self) -> None:
        self.view = view = View(7.5, 12, 1350)
        horizon = view.spot(0, 5000)[1]
        self.gradient(
            0,
            horizon,
            [(0, (24, 38, 74)), (0.55, (66, 86, 128)), (0.85, (150, 138, 150)), (1, (206, 158, 132))],
        )
        self.gradient(horizon, 1080, [(0, (130, 118, 124)), (0.15, (64, 74, 98)), (1, (18, 26, 44))])
        self.blur_background(3)
        self._paint_town(horizon)
        self._lights = [
            (
                self.random.uniform(0, 1920),
                horizon + 12 + 500 * self.random.random() ** 1.6,
                self.random.random(),
                1 + number % 3,
            )
            for number in range(160)
        ]
        self._paint_road(view)
        self.vignette(0.32)

    def _paint_town(self, horizon: float) -> None:
        x = -20.0
        while x < 1940:
            width, height = (
                self.random.uniform(34, 92),
                self.random.uniform(24, 120) * (0.6 + 0.8 * math.sin(x / 610) ** 2),
            )
            tone = mixed((54, 62, 88), (82, 84, 106), self.random.random())
            self.box(x, horizon - height, x + width, horizon + 2, tone)
            for column in range(int(x) + 7, int(x + width) - 6, 11):
                for row in range(int(horizon - height) + 8, int(horizon) - 6, 13):
                    if self.random.random() < 0.3:
                        self.box(
                            column,
                            row,
                            column + 4,
                            row + 6,
                            mixed((250, 206, 130), (255, 236, 200), self.random.random()),
                        )
            if self.random.random() < 0.8:
                reflection = mixed((120, 112, 120), (230, 180, 120), 0.4 * self.random.random())
                self.line([(x + width / 2, horizon + 8), (x + width / 2, horizon + 8 + height * 0.8)], reflection, 3)
            x += width + self.random.uniform(-4, 16)

    def _paint_road(self, view: View) -> None:
        for y in range(170, 4, -2):  # far to near, lighter far away
            tone = mixed((52, 54, 62), (96, 94, 102), y / 170)
            ground(self, view, -9.4, y, 9.4, y + 2.1, tone)
            ground(self, view, -11.8, y, -9.4, y + 2.1, lit(tone, 1.3), 0.15)
            ground(self, view, 9.4, y, 11.8, y + 2.1, lit(tone, 1.3), 0.15)
        ground(self, view, -0.25, 5, -0.12, 170, (196, 190, 170))
        ground(self, view, 0.12, 5, 0.25, 170, (196, 190, 170))
        for x in (-8.9, 8.8):
            ground(self, view, x, 5, x + 0.12, 170, (176, 174, 168))
        for x in (-4.6, 4.5):
            for y in range(4, 168, 6):
                ground(self, view, x, y, x + 0.13, y + 2.6, (186, 184, 178))
        for side in (-12, 12):
            for y in range(160, 6, -3):
                cuboid(self, view, (side - 0.06, y, 0), (side + 0.06, y + 0.1, 1.1), (72, 78, 92))
            for z in (0.6, 1.1):
                self.line(view.at([(side, 6, z), (side, 170, z)]), (92, 98, 112), 3)
        for y in range(158, 8, -25):
            for post in (-11.6, 11.6):
                cuboid(self, view, (post - 0.09, y, 0), (post + 0.09, y + 0.15, 8), (46, 52, 66))
                lamp = (post - math.copysign(1.8, post), y, 8.0)
                self.line([view.spot(post, y, 8), view.spot(*lamp)], (46, 52, 66), 0.14 * view.metre(post, y, 8))
                metre = view.metre(*lamp)
                self.glow(view.spot(*lamp), max(12, 2.2 * metre), (255, 220, 160), 1.0)
                self.ellipse(view.spot(*lamp), (0.28 * metre, 0.1 * metre), (255, 244, 214))
                self.glow(view.spot(lamp[0], y), max(10, 5 * metre), (66, 54, 34), 0.9)

    def paint_motion(self, phase: float) -> None:
        for x, y, offset, turns in self._lights:
            light = wave(phase, turns, offset)
            if light > 0.25 and abs(x - 960) > 130 + (y - 250) * 1.9:
                self.line([(x - 9, y), (x + 9, y)], mixed((72, 80, 104), (160, 148, 150), 0.5 * light), 1.4)
        cars = []
        for number, (lane, start) in enumerate(((2.4, 0.05), (6.8, 0.3), (2.4, 0.52), (6.8, 0.8), (2.5, 0.78))):
            cars.append((_NEAR_M + _REACH_M * ((phase + start) % 1), lane, 90, number))
        for number, (lane, start) in enumerate(((-2.4, 0.0), (-6.8, 0.22), (-2.5, 0.4), (-6.8, 0.58), (-2.4, 0.73))):
            cars.append((_NEAR_M + _REACH_M * (1 - (phase + start) % 1), lane, -90, number + 3))
        for y, lane, heading, number in sorted(cars, reverse=True):
            paint = _PAINTS[number % len(_PAINTS)]
            draw_car(self, self.view, lane, y, heading, paint, light=0.72, has_lamps=True, has_shadow=y < 60)

"""A harbour at dusk: a ship at the quay, a boat that comes in, the light on the breakwater."""

from __future__ import annotations

import math

from .canvas import Colour, Point, Scene, mixed, wave

_HORIZON = 470.0


class Harbour(Scene):
    title = "Harbour"
    grain = 2.2

    def paint_background(self) -> None:
        self.gradient(
            0, _HORIZON,
            [(0, (36, 46, 78)), (0.45, (92, 86, 118)), (0.75, (196, 128, 116)), (1, (244, 178, 118))],
        )  # fmt: skip
        self.gradient(
            _HORIZON,
            1080,
            [(0, (206, 144, 110)), (0.12, (132, 104, 106)), (0.45, (58, 64, 86)), (1, (22, 30, 46))],
        )
        for y, x, width, depth in (
            (150.0, 420, 520, 12),
            (205, 1300, 620, 10),
            (262, 820, 700, 8),
            (120, 1560, 300, 9),
        ):
            for part in range(9):  # thin clouds
                shift = self.random.uniform(-0.5, 0.5) * width
                size = (width * self.random.uniform(0.15, 0.4), depth * self.random.uniform(0.5, 1.1))
                shade = mixed((120, 96, 118), (226, 150, 126), y / 330 + part * 0.01)
                self.ellipse((x + shift, y + self.random.uniform(-1, 1) * depth), size, shade)
        self.blur_background(5)
        self.glow((1130, _HORIZON - 12), 520, (120, 62, 20), 1.0)
        self.glow((1130, _HORIZON - 6), 150, (255, 226, 170), 0.9)
        self._paint_far_shore()
        self._points = [
            (
                self.random.uniform(0, 1920),
                _HORIZON + 14 + 590 * self.random.random() ** 1.7,
                self.random.random(),
                1 + index % 3,
            )
            for index in range(420)
        ]
        for place in range(990, 1280, 3):  # the low sun's path on the water
            for _ in range(3):
                y = _HORIZON + 4 + 330 * self.random.random() ** 2
                half = 6 + (y - _HORIZON) / 14
                share = max(0.0, 1 - abs(place - 1130) / 150) * 0.75
                self.line([(place - half, y), (place + half, y)], mixed((110, 96, 100), (250, 186, 122), share), 1.5)
        with self.front():
            self._paint_breakwater()
        with self.front():
            self._paint_ship()
            self._paint_quay()
        self.vignette(0.3)
        self._water = [self._colour_at(x, y) for x, y, *_ in self._points]

    def _colour_at(self, x: float, y: float) -> Colour:
        row = min(self.height_px - 1, int(y * self.scale))
        blue, green, red = self.image[row, min(self.width_px - 1, int(x * self.scale))]
        return float(red), float(green), float(blue)

    def _paint_far_shore(self) -> None:
        hill: list[Point] = [(0, _HORIZON)]
        for x in range(0, 1921, 24):
            hill.append(
                (
                    x,
                    _HORIZON - 26 - 18 * math.sin(x / 190) - 11 * math.sin(x / 71 + 1) - 16 * math.cos(x / 430),
                )
            )
        self.polygon([*hill, (1920, _HORIZON)], (84, 74, 92))
        for x in range(20, 900, 34):
            height = 12 + 22 * self.random.random()
            self.box(x, _HORIZON - height, x + 18 + 16 * self.random.random(), _HORIZON, (66, 60, 78))
        for _ in range(70):
            lamp = self.random.uniform(0, 1250)
            self.ellipse((lamp, _HORIZON - self.random.uniform(3, 20)), (1.7, 1.7), (255, 214, 150))
            self.line([(lamp, _HORIZON + 4), (lamp, _HORIZON + 24)], (196, 146, 114), 1.5)

    def _paint_breakwater(self) -> None:
        self.polygon([(0, 560), (330, 536), (430, 552), (470, 612), (0, 664)], (44, 42, 52))
        self.polygon([(0, 560), (330, 536), (430, 552), (0, 584)], (70, 64, 74))
        for _ in range(120):
            x = self.random.uniform(0, 440)
            y = 566 + self.random.uniform(0, 50) - x * 0.03
            self.ellipse(
                (x, y),
                (self.random.uniform(6, 15), self.random.uniform(4, 9)),
                mixed((36, 35, 44), (82, 76, 84), self.random.random()),
            )
        self.polygon([(322, 542), (372, 546), (362, 330), (332, 330)], (206, 190, 184))
        self.polygon([(347, 544), (372, 546), (362, 330), (347, 330)], (148, 132, 138))
        for top in (380, 450):
            self.polygon([(330, top), (364, top), (367, top + 34), (327, top + 34)], (150, 52, 46))
        self.box(326, 318, 368, 332, (58, 54, 62))
        self.box(334, 288, 360, 318, (250, 226, 170))
        self.polygon([(330, 290), (364, 290), (347, 264)], (92, 40, 40))

    def _paint_ship(self) -> None:
        self.polygon([(1230, 520), (1920, 520), (1920, 690), (1290, 690)], (30, 32, 46))
        self.polygon([(1282, 662), (1920, 662), (1920, 690), (1290, 690)], (96, 36, 36))
        self.line([(1236, 532), (1920, 532)], (96, 92, 104), 3)
        paints = [(126, 62, 52), (62, 82, 110), (146, 112, 70), (76, 96, 86), (108, 104, 108), (92, 54, 60)]
        for column in range(9):
            for row in range(1 + (column * 7 + 3) % 4):
                left, top = 1330 + column * 66, 520 - 34 * (row + 1)
                paint = paints[(column * 3 + row * 2) % len(paints)]
                self.box(left, top, left + 63, top + 32, paint)
                for rib in range(6, 62, 8):
                    self.line([(left + rib, top + 3), (left + rib, top + 29)], mixed(paint, (0, 0, 0), 0.2), 1)
        self.box(1262, 500, 1312, 520, (190, 178, 176))
        self.line([(1285, 500), (1285, 440)], (80, 78, 90), 4)
        for x in (1470, 1800):  # gantry cranes
            steel = (46, 42, 56)
            for leg in (0, 92):
                self.line([(x + leg, 930), (x + leg, 250)], steel, 9)
            self.line([(x - 210, 262), (x + 180, 262)], steel, 12)
            self.line([(x - 210, 262), (x + 46, 150), (x + 180, 262)], steel, 4)
            self.line([(x + 46, 150), (x + 46, 262)], steel, 6)
            for brace in range(300, 900, 120):
                self.line([(x, brace), (x + 92, brace + 110)], steel, 3)
            self.glow((x + 46, 276), 46, (255, 210, 140), 0.8)

    def _paint_quay(self) -> None:
        self.polygon([(1080, 1080), (1420, 760), (1920, 700), (1920, 1080)], (48, 46, 54))
        self.polygon([(1080, 1080), (1420, 760), (1434, 772), (1130, 1080)], (112, 100, 92))
        for x, y in ((1500, 880), (1700, 960), (1860, 830)):
            self.glow((x, y + 30), 210, (120, 92, 52), 0.5)
            self.line([(x, y), (x, y - 190)], (34, 32, 40), 6)
            self.glow((x, y - 196), 60, (255, 214, 150), 1.0)
        for x, y in ((1330, 862), (1240, 946), (1160, 1024)):
            self.ellipse((x, y), (15, 8), (26, 26, 32))
            self.box(x - 9, y - 18, x + 9, y, (34, 34, 40))

    def paint_motion(self, phase: float) -> None:
        for (x, y, offset, turns), base in zip(self._points, self._water, strict=True):
            light = wave(phase, turns, offset)
            if light > 0.1:
                half = 5 + (y - _HORIZON) / 16
                sway = 4 * wave(phase, 1, offset)
                colour = mixed(base, (250, 200, 156), 0.34 * light * (1 - (y - _HORIZON) / 800))
                self.line([(x - half + sway, y), (x + half + sway, y)], colour, 1.6)
        self._paint_boat(322 + 1170 * phase, 596 + 3 * wave(phase, 3))
        self._paint_buoy(760, 742 + 5 * wave(phase, 3, 0.3), phase)
        self._paint_gulls(phase)

    def _paint_boat(self, x: float, y: float) -> None:
        for step in range(1, 4):
            spread = step * 5
            self.line(
                [(x - 40 - step * 26, y + 16 + spread), (x - 70 - step * 31, y + 18 + spread)],
                (150, 134, 136),
                1.5,
            )
            self.line([(x - 30 - step * 26, y + 10), (x - 60 - step * 31, y + 8)], (158, 136, 132), 1.5)
        self.polygon([(x - 74, y - 8), (x + 88, y - 16), (x + 66, y + 20), (x - 66, y + 20)], (34, 46, 66))
        self.polygon([(x - 74, y - 8), (x + 88, y - 16), (x + 84, y - 9), (x - 73, y - 1)], (176, 74, 52))
        self.polygon([(x - 34, y - 9), (x - 30, y - 52), (x + 22, y - 52), (x + 34, y - 12)], (214, 204, 196))
        self.polygon([(x - 22, y - 44), (x + 18, y - 44), (x + 23, y - 30), (x - 23, y - 30)], (54, 58, 72))
        self.line([(x - 8, y - 52), (x - 8, y - 58)], (64, 60, 70), 3)
        self.polygon([(x - 52, y - 9), (x - 50, y - 36), (x - 38, y - 36), (x - 36, y - 9)], (60, 52, 58))
        shine = max(0.0, min(1.0, (x - 420) / 60, (1380 - x) / 60))  # behind the breakwater and the ship no light
        self.glow((x - 8, y - 60), 22, (255, 246, 214), shine)
        self.glow((x + 30, y - 40), 14, (80, 255, 130), 0.8 * shine)
        self.line([(x - 10, y + 34), (x + 4, y + 34)], (226, 196, 160), 2)

    def _paint_buoy(self, x: float, y: float, phase: float) -> None:
        tilt = 4 * wave(phase, 3, 0.1)
        self.ellipse((x, y + 14), (34, 6), (30, 36, 52))
        self.polygon(
            [(x - 22, y + 10), (x + 22, y + 10), (x + 9 + tilt, y - 48), (x - 9 + tilt, y - 48)],
            (150, 44, 40),
        )
        self.polygon([(x, y + 10), (x + 22, y + 10), (x + 9 + tilt, y - 48), (x + tilt, y - 48)], (108, 32, 34))
        shine = max(0.0, wave(phase, 4)) ** 2
        self.glow((x + tilt, y - 58), 15 + 50 * shine, (255, 60, 40), 0.35 + 0.65 * shine)

    def _paint_gulls(self, phase: float) -> None:
        for lane, (height, turns, start) in enumerate(((190, 15, 0.0), (236, 17, 0.06), (150, 14, 0.55))):
            along = (phase + start) % 1
            x, y = 2000 - along * 2090, height + 36 * math.sin(along * 7 + lane) + 8 * lane
            flap = 11 * wave(phase, turns, lane / 3)
            span = 22 - 4 * lane
            self.line([(x - span, y - flap), (x - span / 2, y - 5 - flap / 3), (x, y)], (44, 42, 56), 3)
            self.line([(x, y), (x + span / 2, y - 5 - flap / 3), (x + span, y - flap)], (44, 42, 56), 3)

    def paint_front(self, phase: float) -> None:
        shine = max(0.0, wave(phase, 2, 0.75)) ** 3
        self.glow((347, 303), 50 + 170 * shine, (255, 226, 170), 0.5 + 0.5 * shine)

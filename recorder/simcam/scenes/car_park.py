"""A car park by day, seen from a mast: parked cars, two that drive past, somebody on foot."""

from __future__ import annotations

from .canvas import Scene, lit, mixed
from .figures import draw_car, draw_person
from .perspective import View, cuboid, ground

_PAINTS = [
    (176, 40, 38), (222, 224, 226), (52, 58, 66), (44, 78, 128), (128, 132, 136), (232, 228, 214), (30, 32, 34),
    (92, 116, 96), (150, 60, 34),
]  # fmt: skip
_BAY_M = 2.75


class CarPark(Scene):
    title = "Car park north"
    grain = 1.8

    def paint_background(self) -> None:
        self.view = view = View(9.5, 25, 1420, pan_deg=-9)
        self.gradient(0, 1080, [(0, (112, 116, 119)), (0.5, (100, 103, 106)), (1, (82, 85, 88))])
        self.texture(0, 1080, 4.5, 1.4)
        for x, y, size in (
            (-5, 14, 2.4),
            (6, 19, 3.0),
            (1, 12.5, 1.6),
            (14, 24, 4.0),
        ):  # patches of newer asphalt
            ground(self, view, x, y, x + size, y + size * 0.7, (84, 87, 90))
        self._paint_far_side(view)
        white = (214, 215, 211)
        for bay in range(-15, 21):
            left = bay * _BAY_M
            ground(self, view, left - 0.06, 27.2, left + 0.06, 32.4, white)
            ground(self, view, left - 0.06, 15.4, left + 0.06, 20.4, white)
        ground(self, view, -45, 15.34, 60, 15.46, white)
        for x in range(-30, 40, 6):  # lane marks
            ground(self, view, x, 23.7, x + 2.4, 23.84, (190, 190, 184))
        for bay in (-12, -11, -9, -7, -6, -5, -3, -2, 0, 1, 3, 4, 5, 7, 8, 10, 11, 13):
            paint = _PAINTS[(bay * 5 + 2) % len(_PAINTS)]
            draw_car(self, view, (bay + 0.5) * _BAY_M, 30.0, 90 if bay % 3 else -90, paint)
        with self.front():
            for bay in (-4, -2, -1, 2, 5):
                paint = _PAINTS[(bay * 4 + 1) % len(_PAINTS)]
                draw_car(self, view, (bay + 0.5) * _BAY_M, 18.0, -90 if bay % 2 else 90, paint)
        self.vignette(0.28)

    def _paint_far_side(self, view: View) -> None:
        ground(self, view, -80, 33, 90, 35.5, (150, 150, 146))  # pavement
        ground(self, view, -80, 35.5, 90, 46, (88, 108, 70))
        cuboid(self, view, (-60, 47, 0), (70, 60, 12), (166, 160, 150), (1, 0.92, 0.8))
        for x in range(-58, 68, 4):
            for z in (1.4, 4.6):
                cuboid(self, view, (x, 46.9, z), (x + 2.6, 46.95, z + 2.0), (70, 84, 96))
                cuboid(self, view, (x, 46.85, z + 1.2), (x + 1.2, 46.9, z + 2.0), (112, 128, 138))
        for number, trunk in enumerate((-26, -17.5, -9, -1.5, 6, 14, 23, 32)):
            foot, metre = view.spot(trunk, 40), view.metre(trunk, 40)
            cuboid(self, view, (trunk - 0.16, 40, 0), (trunk + 0.16, 40.2, 2), (82, 66, 52))
            for dx, up, size in (
                (0, 3.0, 1.6),
                (-0.9, 2.5, 1.1),
                (0.9, 2.6, 1.2),
                (0.2, 3.9, 1.0),
                (-0.4, 3.4, 0.9),
            ):
                green = mixed((62, 88, 50), (104, 124, 66), (number * 37 % 10) / 14 + up / 14)
                centre = (foot[0] + dx * metre, foot[1] - up * metre)
                self.ellipse(centre, (size * metre, size * 0.85 * metre), green)
                lighter = (centre[0] - 0.3 * metre, centre[1] - 0.3 * metre)
                self.ellipse(lighter, (size * 0.6 * metre, size * 0.5 * metre), lit(green, 1.12))

    def paint_motion(self, phase: float) -> None:
        later = (phase + 0.45) % 1
        draw_car(self, self.view, 27 - later * 46, 25.6, 180, (196, 198, 200))
        # somebody waits for somebody: up the lane and back
        is_back = phase >= 0.5
        along = 12 - 11.6 * (1 - phase if is_back else phase)
        draw_person(
            self,
            self.view,
            along,
            21.9,
            phase * 9,
            (58, 74, 104),
            (48, 46, 48),
            direction=1 if is_back else -1,
        )

    def paint_front(self, phase: float) -> None:
        draw_car(self, self.view, -17 + phase * 34, 12.6, 0, (164, 36, 34))

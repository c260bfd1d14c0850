"""The lobby of an office building: a reception desk, daylight from the left, people who come and go."""

from __future__ import annotations

from .canvas import Scene, lit, mixed, wave
from .figures import draw_person
from .perspective import View, cuboid, face, ground

_BACK_M = 15.0
_LEFT_M, _RIGHT_M, _HEIGHT_M = -8.5, 8.5, 4.6


class Lobby(Scene):
    title = "Lobby"
    grain = 1.6

    def paint_background(self) -> None:
        self.view = view = View(3.4, 14, 1230)
        self._paint_room(view)
        self._paint_windows(view)
        self._paint_lifts(view)
        self._paint_desk_wall(view)
        with self.front():
            cuboid(self, view, (-6.6, 5.4, 0), (-4.4, 6.4, 0.42), (70, 92, 98))
            cuboid(self, view, (-6.6, 6.3, 0.42), (-4.4, 6.5, 0.85), (62, 84, 90))
            self._paint_plant(view, -6.2, 9.8)
            self._paint_plant(view, 5.2, 7.6)
        self.vignette(0.3)

    def _paint_room(self, view: View) -> None:
        self.gradient(
            0,
            1080,
            [(0, (206, 202, 196)), (0.3, (196, 190, 182)), (0.45, (148, 142, 136)), (1, (118, 113, 108))],
        )
        face(
            self,
            view,
            [
                (_LEFT_M, _BACK_M, 0),
                (_RIGHT_M, _BACK_M, 0),
                (_RIGHT_M, _BACK_M, _HEIGHT_M),
                (_LEFT_M, _BACK_M, _HEIGHT_M),
            ],
            (192, 184, 174),
        )
        ground(self, view, _LEFT_M, 1, _RIGHT_M, _BACK_M, (222, 219, 214), _HEIGHT_M)
        for y in range(2, 15):  # a soft sheen of the back wall's light in the floor, and the tiles' joints
            ground(self, view, _LEFT_M, y, _RIGHT_M, y + 1, mixed((126, 121, 116), (168, 161, 152), (y - 2) / 13))
        ground(self, view, -9, 0.5, 9, 2, (124, 119, 114))
        for y in range(1, 15):
            self.line(view.at([(_LEFT_M, y, 0), (_RIGHT_M, y, 0)]), (112, 107, 103), 1)
        for x in range(-8, 9):
            self.line(view.at([(x, 0.8, 0), (x, _BACK_M, 0)]), (112, 107, 103), 1)
        for across in (-5.6, -1.9, 1.9, 5.6):
            for depth in (6.5, 10.0, 13.2):
                ground(
                    self,
                    view,
                    across - 0.6,
                    depth,
                    across + 0.6,
                    depth + 0.5,
                    (255, 252, 240),
                    _HEIGHT_M - 0.02,
                )
                self.glow(
                    view.spot(across, depth + 0.25, _HEIGHT_M),
                    0.9 * view.metre(across, depth, 4),
                    (60, 54, 40),
                    0.8,
                )
                self.glow(view.spot(across, depth), 1.3 * view.metre(across, depth), (44, 42, 36), 0.7)

    def _paint_windows(self, view: View) -> None:
        face(
            self,
            view,
            [(_LEFT_M, 1, 0), (_LEFT_M, _BACK_M, 0), (_LEFT_M, _BACK_M, _HEIGHT_M), (_LEFT_M, 1, _HEIGHT_M)],
            (150, 146, 140),
        )
        for y in range(4, 14, 2):
            pane = [
                (_LEFT_M, y + 0.1, 0.2),
                (_LEFT_M, y + 1.85, 0.2),
                (_LEFT_M, y + 1.85, 4.2),
                (_LEFT_M, y + 0.1, 4.2),
            ]
            face(self, view, pane, (216, 230, 238))
            low = [
                (_LEFT_M, y + 0.1, 0.2),
                (_LEFT_M, y + 1.85, 0.2),
                (_LEFT_M, y + 1.85, 1.4),
                (_LEFT_M, y + 0.1, 1.4),
            ]
            face(self, view, low, (168, 190, 172))
            patch = [
                (-8.1, y + 0.2),
                (-8.1, y + 1.8),
                (-4.6, y + 0.9),
                (-4.6, y - 0.7),
            ]  # daylight on the floor
            self.shade(view.at([(x, depth, 0) for x, depth in patch]), 1.17)
        face(
            self,
            view,
            [
                (_RIGHT_M, 1, 0),
                (_RIGHT_M, _BACK_M, 0),
                (_RIGHT_M, _BACK_M, _HEIGHT_M),
                (_RIGHT_M, 1, _HEIGHT_M),
            ],
            (168, 160, 150),
        )
        for number in range(3):  # pictures on the right wall
            near = 7.0 + number * 2.6
            frame = [
                (_RIGHT_M, near, 1.3),
                (_RIGHT_M, near + 1.6, 1.3),
                (_RIGHT_M, near + 1.6, 2.9),
                (_RIGHT_M, near, 2.9),
            ]
            face(self, view, frame, ((96, 122, 128), (176, 128, 92), (104, 112, 86))[number])

    def _paint_lifts(self, view: View) -> None:
        for x in (3.2, 5.7):
            cuboid(self, view, (x - 0.14, _BACK_M - 0.06, 0), (x + 1.94, _BACK_M - 0.04, 2.6), (96, 92, 88))
            for leaf in (0.0, 0.92):
                steel = (172, 174, 176) if leaf else (156, 158, 161)
                cuboid(self, view, (x + leaf, _BACK_M - 0.08, 0), (x + leaf + 0.88, _BACK_M - 0.07, 2.42), steel)
            spot = view.spot(x + 0.9, _BACK_M - 0.1, 2.85)
            self.ellipse(spot, (7, 7), (240, 190, 110))

    def _paint_desk_wall(self, view: View) -> None:
        cuboid(self, view, (-5.2, _BACK_M - 0.1, 0), (1.6, _BACK_M - 0.05, 3.9), (122, 88, 60))
        for slat in range(46):
            x = -5.15 + slat * 0.147
            cuboid(
                self,
                view,
                (x, _BACK_M - 0.14, 0.05),
                (x + 0.085, _BACK_M - 0.12, 3.85),
                lit((150, 110, 76), 0.94 + 0.1 * (slat % 3)),
            )
        self.glow(view.spot(-1.8, _BACK_M, 2.7), 330, (84, 62, 36), 0.8)
        spot, metre = view.spot(-1.8, _BACK_M - 0.2, 2.8), view.metre(-1.8, _BACK_M, 2.8)
        self.ellipse(spot, (0.46 * metre, 0.46 * metre), (238, 230, 214))
        self.ellipse((spot[0] + 0.16 * metre, spot[1] - 0.1 * metre), (0.34 * metre, 0.34 * metre), (138, 102, 72))
        cuboid(self, view, (-4.4, 12.4, 0), (0.8, 13.2, 1.12), (206, 198, 186), (1.14, 0.9, 0.7))
        cuboid(self, view, (-4.5, 12.3, 1.12), (0.9, 13.25, 1.2), (92, 68, 50))
        cuboid(self, view, (-3.1, 12.7, 1.2), (-2.5, 12.75, 1.62), (44, 46, 50))

    def _paint_plant(self, view: View, x: float, y: float) -> None:
        cuboid(self, view, (x - 0.28, y, 0), (x + 0.28, y + 0.5, 0.6), (84, 82, 80))
        foot, metre = view.spot(x, y + 0.2, 0.6), view.metre(x, y)
        for _leaf in range(22):
            lean, up = self.random.uniform(-0.65, 0.65), self.random.uniform(0.4, 1.3)
            tip = (foot[0] + lean * metre, foot[1] - up * metre)
            green = mixed((40, 78, 46), (92, 128, 70), self.random.random())
            bend = (foot[0] + lean * 0.3 * metre, foot[1] - up * 0.75 * metre)
            wide = 0.06 * metre
            self.polygon([foot, (bend[0] - wide, bend[1]), tip, (bend[0] + wide, bend[1] + wide)], green)

    def paint_motion(self, phase: float) -> None:
        view = self.view
        sway = 0.03 * wave(phase, 1)
        draw_person(
            self,
            view,
            -1.5 + sway,
            13.9,
            0,
            (58, 62, 74),
            (40, 40, 44),
            direction=0,
            hair=(96, 62, 38),
            light=0.95,
        )
        self._hide_behind_desk()
        draw_person(self, view, 0.95 + 0.02 * wave(phase, 1, 0.3), 11.6, 0, (140, 122, 96), (62, 66, 82), direction=0)
        second = (phase + 0.55) % 1
        draw_person(
            self,
            view,
            8.4 - second * 16.8,
            9.4,
            second * 11,
            (118, 52, 52),
            (44, 46, 56),
            direction=-1,
            hair=(122, 88, 52),
            height_m=1.68,
        )
        draw_person(self, view, -7.6 + phase * 15.2, 7.2, phase * 10, (52, 72, 104), (58, 54, 52), bag=(92, 66, 44))

    def _hide_behind_desk(self) -> None:
        cuboid(self, self.view, (-4.4, 12.4, 0), (0.8, 13.2, 1.12), (206, 198, 186), (1.14, 0.9, 0.7))
        cuboid(self, self.view, (-4.5, 12.3, 1.12), (0.9, 13.25, 1.2), (92, 68, 50))
        cuboid(self, self.view, (-3.1, 12.7, 1.2), (-2.5, 12.75, 1.62), (44, 46, 50))

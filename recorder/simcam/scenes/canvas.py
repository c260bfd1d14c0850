"""What all scenes share: a still background drawn once, moving things drawn over it, grain, the
camera's name.

A scene draws in units of a 1920 x 1080 picture; `Scene` scales them. Called by `encode`, in its threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

Point = tuple[float, float]
Colour = tuple[float, float, float]
"""Red, green, blue from 0 to 255."""

GRAIN_PICTURES = 6
_SHIFT = 4  # OpenCV's sub-pixel bits: things glide instead of jumping from pixel to pixel


def lit(colour: Colour, factor: float) -> Colour:
    """The colour in more or less light."""
    return min(255.0, colour[0] * factor), min(255.0, colour[1] * factor), min(255.0, colour[2] * factor)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    a, b, c = (one + (other - one) * share for one, other in zip(first, second, strict=True))
    return a, b, c


def wave(phase: float, turns: int, offset: float = 0.0) -> float:
    """A sine that fits the loop: `turns` whole periods in it."""
    return math.sin(2 * math.pi * (phase * turns + offset))


def bgr(colour: Colour) -> Colour:
    return colour[2], colour[1], colour[0]


class Scene:
    """Subclasses set `title` and implement `paint_background` and `paint_motion`."""

    title = ""
    grain = 2.0
    """Standard deviation of the noise, in grey levels of 255."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.width_px, self.height_px = width_px, height_px
        self.scale = width_px / 1920
        self.random = np.random.default_rng(sum(map(ord, self.title)))
        self.image: np.ndarray = np.zeros((height_px, width_px, 3), np.uint8)
        self._fronts: list[tuple[tuple[slice, slice], np.ndarray]] = []
        self.paint_background()
        self._background = self.image
        self.image = self._background.copy()
        noise = self.random.normal(0, self.grain, (height_px + 64, width_px + 64))
        self._more = np.clip(noise, 0, 20).astype(np.uint8)
        self._less = np.clip(-noise, 0, 20).astype(np.uint8)

    def paint_background(self) -> None:
        raise NotImplementedError

    def paint_motion(self, phase: float) -> None:
        """`phase` runs from 0 to 1 (exclusive) over a loop; all motion must meet itself at 1."""
        raise NotImplementedError

    def paint_front(self, phase: float) -> None:
        """Motion before everything else."""

    @contextmanager
    def front(self) -> Iterator[None]:
        """What is painted inside (in `paint_background`) hides the motion behind it."""
        before = self.image.copy()
        yield
        changed = (self.image != before).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if len(rows):
            window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            self._fronts.append((window, changed[window].astype(np.uint8) * 255))

    def picture(self, phase: float, index: int) -> np.ndarray:
        """The finished picture as I420."""
        np.copyto(self.image, self._background)
        self.paint_motion(phase)
        for window, mask in self._fronts:
            cv2.copyTo(self._background[window], mask, self.image[window])
        self.paint_front(phase)
        self._burn_in_title()
        picture = cv2.cvtColor(self.image, cv2.COLOR_BGR2YUV_I420)
        self._add_grain(picture[: self.height_px], index % GRAIN_PICTURES)
        return picture

    def _add_grain(self, luma: np.ndarray, index: int) -> None:
        y, x = (index * 37) % 64, (index * 23) % 64
        window = np.s_[y : y + self.height_px, x : x + self.width_px]
        cv2.add(luma, self._more[window], dst=luma)
        cv2.subtract(luma, self._less[window], dst=luma)

    def _burn_in_title(self) -> None:
        size = max(0.4, 0.75 * self.scale)
        thickness = max(1, round(1.6 * self.scale))
        at = (round(28 * self.scale), self.height_px - round(30 * self.scale))
        for colour, extra in (((20, 20, 20), 2), ((235, 235, 235), 0)):
            cv2.putText(
                self.image,
                self.title,
                at,
                cv2.FONT_HERSHEY_SIMPLEX,
                size,
                colour,
                thickness + extra,
                cv2.LINE_AA,
            )

    # Drawing, in units of 1920 x 1080

    def _fixed(self, points: object) -> np.ndarray:
        return np.round(np.asarray(points, np.float64) * (self.scale * 2**_SHIFT)).astype(np.int32)

    def polygon(self, points: object, colour: Colour) -> None:
        cv2.fillPoly(self.image, [self._fixed(points)], bgr(colour), cv2.LINE_AA, _SHIFT)

    def line(self, points: object, colour: Colour, width: float = 2) -> None:
        thickness = max(1, round(width * self.scale))
        cv2.polylines(self.image, [self._fixed(points)], False, bgr(colour), thickness, cv2.LINE_AA, _SHIFT)

    def ellipse(self, centre: Point, radii: Point, colour: Colour, angle: float = 0) -> None:
        x, y = self._fixed(centre)
        a, b = self._fixed(radii)
        cv2.ellipse(
            self.image, (int(x), int(y)), (max(1, int(a)), max(1, int(b))), angle, 0, 360, bgr(colour), -1,
            cv2.LINE_AA, _SHIFT,
        )  # fmt: skip

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def gradient(self, top: float, bottom: float, stops: list[tuple[float, Colour]]) -> None:
        """Rows from `top` to `bottom` shade through `stops` (place from 0 to 1, colour)."""
        first, last = round(top * self.scale), round(bottom * self.scale)
        places = np.linspace(0, 1, max(1, last - first))
        rows = np.stack([np.interp(places, [s[0] for s in stops], [bgr(s[1])[c] for s in stops]) for c in range(3)], 1)
        # half a level of noise: no bands in a soft sky
        noise = self.random.uniform(0, 1, (last - first, self.width_px, 1))
        self.image[first:last] = np.clip(rows[:, None, :] + noise, 0, 255).astype(np.uint8)

    def blur_background(self, sigma: float) -> None:
        self.image = cv2.GaussianBlur(self.image, (0, 0), max(0.3, sigma * self.scale))

    def vignette(self, strength: float) -> None:
        """The lens loses light towards the corners."""
        rows = np.linspace(-1, 1, self.height_px, dtype=np.float32)[:, None] ** 2
        columns = np.linspace(-1, 1, self.width_px, dtype=np.float32)[None, :] ** 2
        self.image = (self.image * (1 - strength * (rows + columns) / 2)[..., None]).astype(np.uint8)

    def texture(self, top: float, bottom: float, strength: float, grain_px: float = 1.5) -> None:
        """A still roughness (asphalt, concrete): grey noise of so many levels, blurred to a grain."""
        first, last = round(top * self.scale), round(bottom * self.scale)
        noise: np.ndarray = self.random.normal(0, 1, (last - first, self.width_px)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), max(0.5, grain_px * self.scale))
        noise = noise * (strength / max(1e-6, float(noise.std())))
        part = self.image[first:last].astype(np.float32) + noise[..., None]
        self.image[first:last] = np.clip(part, 0, 255).astype(np.uint8)

    def glow(self, centre: Point, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """Light added around a point, fading outwards."""
        x, y, r = centre[0] * self.scale, centre[1] * self.scale, max(1.5, radius * self.scale)
        left, right = max(0, int(x - r)), min(self.width_px, int(x + r) + 1)
        top, bottom = max(0, int(y - r)), min(self.height_px, int(y + r) + 1)
        if left >= right or top >= bottom:
            return
        rows, columns = np.ogrid[top:bottom, left:right]
        distance = np.sqrt((columns - x) ** 2 + (rows - y) ** 2) / r
        light = (np.clip(1 - distance, 0, 1) ** 2.6 * strength).astype(np.float32)
        part = self.image[top:bottom, left:right]
        added = light[..., None] * np.array(bgr(colour), np.float32)
        part[...] = np.minimum(part + added, 255).astype(np.uint8)

    def shade(self, points: object, factor: float) -> None:
        """Darkens a polygon: a shadow on whatever lies there. Above 1 `factor` lights it up."""
        corners = self._fixed(points)
        xs, ys = corners[:, 0] >> _SHIFT, corners[:, 1] >> _SHIFT
        margin = 2 + round(14 * self.scale)
        left, right = max(0, int(xs.min()) - margin), min(self.width_px, int(xs.max()) + margin)
        top, bottom = max(0, int(ys.min()) - margin), min(self.height_px, int(ys.max()) + margin)
        if left >= right or top >= bottom:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        moved = corners - np.array([left << _SHIFT, top << _SHIFT], np.int32)
        cv2.fillPoly(mask, [moved], 255, cv2.LINE_AA, _SHIFT)
        soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, 5 * self.scale))
        part = self.image[top:bottom, left:right]
        dark = 1 - soft.astype(np.float32)[..., None] * ((1 - factor) / 255)
        part[...] = np.minimum(part * dark, 255).astype(np.uint8)

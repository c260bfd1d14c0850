"""Text keeps the contrast of WCAG 2.1 AA (4.5:1) on every surface, in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).resolve().parents[2] / "vms/console/static/console/css/tokens.css"
TEXTS = ["text", "text-2", "text-3", "accent-text", "ok-text", "warn-text", "bad-text"]
SURFACES = ["bg", "surface", "raised"]


def _palette(theme: int) -> dict[str, str]:
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\);", TOKENS.read_text())
    return {name: values[theme] for name, *values in pairs}


def _rgba(colour: str) -> list[float]:
    digits = colour[1:]
    if len(digits) in (3, 4):
        digits = "".join(digit * 2 for digit in digits)
    return [int(digits[at : at + 2], 16) / 255 for at in range(0, len(digits), 2)]


def _luminance(rgb: list[float]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: list[float], other: list[float]) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _over(top: str, below: str) -> list[float]:
    above, under = _rgba(top), _rgba(below)
    alpha = above[3] if len(above) > 3 else 1.0
    return [a * alpha + b * (1 - alpha) for a, b in zip(above[:3], under[:3], strict=True)]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_surface(theme):
    palette = _palette(theme)
    weak = {
        f"{text} on {surface}": round(_contrast(_rgba(palette[text]), _rgba(palette[surface])), 2)
        for text in TEXTS
        for surface in SURFACES
        if _contrast(_rgba(palette[text]), _rgba(palette[surface])) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_pills_and_buttons_can_be_read(theme):
    palette = _palette(theme)
    for tone in ("ok", "warn", "bad"):
        below = _over(palette[f"{tone}-weak"], palette["surface"])
        assert _contrast(_rgba(palette[f"{tone}-text"]), below) >= 4.5, tone
    assert _contrast(_rgba(palette["on-accent"]), _rgba(palette["accent"])) >= 4.5

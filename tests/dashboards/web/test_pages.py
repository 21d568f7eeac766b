"""Tests of the pages' style: every colour of text is readable on every ground, light and dark."""

import re

import pytest

from dashboards.web.pages import css

TEXTS = ("ink", "soft", "link", "good", "unsure", "bad")
GROUNDS = ("paper", "panel")
LEAST = 4.5  # WCAG 2.2, level AA, for text of any size


def schemes():
    """Returns the colours of the light and of the dark scheme, by name."""
    light, dark = re.findall(r":root \{(.*?)\}", str(css()), re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", text)) for text in (light, dark)]


def luminance(colour):
    """Returns the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_level_aa(dark):
    colours = schemes()[dark]
    for text in TEXTS:
        for ground in GROUNDS:
            light, deep = sorted((luminance(colours[n]) for n in (text, ground)), reverse=True)
            assert (light + 0.05) / (deep + 0.05) >= LEAST, (text, ground)
    light, deep = sorted((luminance(colours[n]) for n in ("ink", "flash")), reverse=True)
    assert (light + 0.05) / (deep + 0.05) >= LEAST, "a cell that has just changed"

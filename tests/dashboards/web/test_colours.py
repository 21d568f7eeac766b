"""Tests of the colours: contrast, colour blindness and print, by published formulas."""

import itertools
import re

import numpy as np
import pytest

from dashboards.drawing.description import COLOURS, DASHES, GREY, SYMBOLS
from dashboards.web.pages import asset

VISION = {
    "normal": np.eye(3),
    # Machado, Oliveira and Fernandes (2009), severity 1.0, for linear sRGB
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = XYZ.sum(1)
JUST_NOTICED = 2.3
"""CIE 1976 distance of two colours whose difference is just noticed (Mahy et al., 1994)."""


def linear(colour):
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(colour, vision="normal"):
    """Returns L*, a* and b* of a colour as people of a kind of vision see it."""
    seen = XYZ @ np.clip(VISION[vision] @ linear(colour), 0, 1) / WHITE
    f = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(*pair):
    """Returns the contrast ratio of two colours (WCAG 2.1)."""
    low, high = sorted(linear(colour) @ XYZ[1] for colour in pair)
    return (high + 0.05) / (low + 0.05)


def schemes():
    """Returns the variables of the light and of the dark style, by name."""
    light, dark = re.findall(r":root \{(.*?)\}", asset("base.css"), re.DOTALL)
    found = [dict(re.findall(r"--([\w-]+): ([^;]+);", text)) for text in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


def lines(scheme):
    return schemes()[scheme]["lines"].split()


def least(colours, vision):
    pairs = itertools.combinations(colours, 2)
    return min(np.linalg.norm(lab(a, vision) - lab(b, vision)) for a, b in pairs)


def test_the_formulas_agree_with_published_values():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # known to fail AA
    assert lab("#ff0000") == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    red, green = lab("#bb2200", "protanopia"), lab("#446600", "protanopia")
    assert np.linalg.norm((red - green)[1:]) < np.linalg.norm(lab("#bb2200") - lab("#446600")) / 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_aa(scheme):
    style = schemes()[scheme]
    for text in ("ink", "soft", "link", "good", "unsure", "bad"):
        for below in ("paper", "panel", "flash"):
            assert contrast(style[text], style[below]) >= 4.5, (text, below)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_line_of_a_figure_has_the_contrast_of_graphics(scheme):
    style = schemes()[scheme]
    for colour, below in itertools.product([*lines(scheme), GREY], ("paper", "panel")):
        assert contrast(colour, style[below]) >= 3, (colour, below)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_are_told_apart_whatever_the_vision(scheme, vision):
    assert least(lines(scheme)[:4], vision) > 10 * JUST_NOTICED
    assert least([*lines(scheme), GREY], vision) > 6.5 * JUST_NOTICED


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lines_are_told_apart_in_grey(scheme):
    for number, least_step in ((4, 5), (8, 2.5)):
        grey = sorted(lab(colour)[0] for colour in lines(scheme)[:number])
        assert min(b - a for a, b in itertools.pairwise(grey)) > least_step * JUST_NOTICED


def test_print_never_depends_on_colour():
    assert len(set(SYMBOLS)) == len(COLOURS) == len(DASHES)
    # The first four differ much in grey; each of the others has a dash style of its own.
    assert set(DASHES[:4]) == {"solid"} and len(set(DASHES)) == len(DASHES) - 3
    assert "dash" not in DASHES, "figures draw other lines of the same colour so"


def test_the_style_sheet_names_the_colours_of_the_figures():
    style = schemes()["light"]
    assert style["lines-in-print"].split() == style["lines"].split() == list(COLOURS)
    assert len(lines("dark")) == len(set(lines("dark"))) == len(COLOURS)

"""The figures of noise schedules and of class shares: what is drawn, reproducibly."""

import io
import warnings

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from dashboards.figures import schedule_figure as schedules
from dashboards.figures import shares_figure as shares
from dashboards.figures.schedule_figure import schedule_figure
from dashboards.figures.shares_figure import Bars, shares_figure
from scorelib.schedules import SCHEDULES


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def drawn(make, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = make(*args)
    assert make(*args) == data
    return pixels(data)


def amount(picture, colour):
    return (np.abs(picture - 255 * np.array(to_rgb(colour))).max(-1) < 12).sum()


def test_every_family_has_its_line_on_both_sides():
    every = [(f(sigma_1=1.0, sigma_L=0.01, n_levels=10), 64) for f in SCHEDULES.values()]
    picture = drawn(schedule_figure, every)
    for half in np.split(picture, [picture.shape[1] // 2], axis=1):
        for name in SCHEDULES:
            assert amount(half, schedules._COLOURS[name]) > 100, name
    one = drawn(schedule_figure, every[:1])
    assert amount(one, schedules._COLOURS["sigmoid"]) == 0


def test_other_ends_or_numbers_of_levels_have_a_row_of_their_own():
    family = SCHEDULES["linear"]
    few, many = (family(sigma_1=1.0, sigma_L=0.01, n_levels=n) for n in (10, 40))
    alone, both = (drawn(schedule_figure, [(s, 64) for s in of]) for of in ((few,), (few, many)))
    assert both.shape[0] == 2 * alone.shape[0] and both.shape[1] == alone.shape[1]


@pytest.mark.parametrize(("upper", "reaches"), [(0.26, True), (0.24, False)])
def test_a_bar_is_dark_if_its_interval_holds_the_equal_share(upper, reaches):
    bars = Bars([0.2, 0.35, 0.35, 0.1], [0.15, 0.3, 0.3, 0.05], [upper, 0.4, 0.4, 0.15])
    picture = drawn(shares_figure, {"images": bars}, "title")
    assert (amount(picture, shares._REACHES) > 1000) == reaches
    assert amount(picture, shares._MISSES) > 1000

"""Curves over training: the band is a confidence interval, and what is drawn is what is given."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from dashboards.figures.curve_figure import curve_figure
from dashboards.figures.score_field_figure import arrows, score_field_figure
from dashboards.results.verdicts import half_interval
from scorelib.metrics.score_error import moons_grid


def test_the_band_is_students_interval():
    values = [0.2, 0.25, 0.19, 0.22, 0.24]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert half_interval(values) == pytest.approx((high - low) / 2)
    assert half_interval([0.2]) == 0.0


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_seeds_that_differ_are_drawn_with_a_band_and_equal_ones_without():
    one = pixels(curve_figure({"loss": {"CE": {1: [1.0, 1.0], 2: [0.5, 0.5]}}}))
    other = pixels(curve_figure({"loss": {"CE": {1: [0.9, 1.1], 2: [0.45, 0.55]}}}))
    blue = np.array([31, 119, 180])
    pale = (0.2 * blue + 0.8 * 255).astype(int)  # the line's colour, at the band's opacity

    def share(image):
        return (np.abs(image - pale).max(axis=2) <= 3).mean()

    assert share(other) > 0.01 > 20 * share(one)


def test_each_class_and_method_has_a_panel_of_arrows():
    points = moons_grid()
    towards = -points / 500
    two = pixels(score_field_figure(points, {"a": [towards, towards], "b": [towards, towards]}))
    four = pixels(
        score_field_figure(points, {name: [towards, torch.flip(towards, [1])] for name in "abcd"})
    )
    assert four.shape[1] > 1.8 * two.shape[1] and four.shape[0] == two.shape[0]
    top, bottom = np.array_split(two[:, : two.shape[1] // 2], 2)
    assert (top < 250).any() and (bottom < 250).any()


def test_arrows_start_at_their_points_and_go_where_the_scores_do():
    points = moons_grid()
    scores = torch.stack([0.3 * points[:, 1] + 0.01, 0.1 - points[:, 0]], dim=1)
    x, y, u, v, length = arrows(points, scores)
    assert len(x) == 18 * 18 and len({*zip(x, y, strict=True)}) == len(x)
    assert length * u == pytest.approx(0.3 * y + 0.01, rel=1e-5)
    assert length * v == pytest.approx(0.1 - x, rel=1e-5)


def test_the_first_class_is_above_and_longer_scores_are_darker():
    points = moons_grid()
    unit = torch.nn.functional.normalize(points + 0.1)
    image = pixels(score_field_figure(points, {"a": [0.05 * unit, 0.75 * unit]}))
    ends = [
        np.array([68, 1, 84]),  # viridis at its dark end
        np.array([253, 231, 37]),  # and at its light one
    ]
    above, below = np.array_split(image, 2)
    near = [[(np.abs(part - c).max(axis=2) < 60).mean() for c in ends] for part in (above, below)]
    assert near[0][1] > 10 * near[1][1] and near[1][0] > 3 * near[0][0]

"""Curves over training: the band is a confidence interval, and what is drawn is what is given."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from dashboards.curve_figure import curve_figure, half_interval
from dashboards.score_field_figure import score_field_figure
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

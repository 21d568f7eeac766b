"""Tests of curves over training: the band is a confidence interval, and curves equal their data."""

import statistics

import numpy as np
import pytest
import torch
from scipy import stats

from dashboards.figures.score_fields import arrows, field_figure
from dashboards.figures.training_curves import curve_panel
from dashboards.results.verdicts import half_interval
from scorelib.metrics.score_error import moons_grid


def test_the_band_is_students_interval():
    values = [0.2, 0.25, 0.19, 0.22, 0.24]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert half_interval(values) == pytest.approx((high - low) / 2)
    assert half_interval([0.2]) == 0.0


def test_seeds_that_differ_are_drawn_with_a_band_and_equal_ones_without():
    points = {20: [0.45, 0.55, 0.6], 10: [0.9, 1.1, 1.2]}
    panel = curve_panel("loss", {"CE": points, "ours": {10: [1.0, 1.0], 20: [0.5, 0.5]}})
    differ, equal = panel.marks
    assert (panel.y.label, differ.label, equal.label) == ("loss", "CE", "ours")
    assert differ.x == equal.x == [10, 20] and equal.y == [1.0, 0.5] and equal.halves == ()
    assert differ.y == [statistics.fmean(points[step]) for step in (10, 20)]
    assert differ.halves == [half_interval(points[step]) for step in (10, 20)]
    assert differ.colour != equal.colour


def test_each_class_and_method_has_a_panel_of_arrows():
    points = moons_grid()
    scores = {name: [(k + 2 * c + 1) * points for c in (0, 1)] for k, name in enumerate("ab")}
    figure = field_figure(points, scores, "some section")
    assert figure.shape == (2, 2) and figure.file == "score_fields_some-section.png"
    shown = [(panel.title, panel.y.label) for panel in figure.panels]
    assert shown == [("a", "class 1"), ("b", "class 1"), ("a", "class 2"), ("b", "class 2")]
    first = [panel.marks[0].values[0] for panel in figure.panels]
    assert first == pytest.approx([k * first[0] for k in (1, 2, 3, 4)])


def test_arrows_start_at_their_points_and_go_where_the_scores_do():
    points = moons_grid()
    scores = torch.stack([0.3 * points[:, 1] + 0.01, 0.1 - points[:, 0]], dim=1)
    drawn = arrows(points, scores)
    x, y, u, v, length = map(np.array, (drawn.x, drawn.y, drawn.u, drawn.v, drawn.values))
    assert len(x) == 18 * 18 and len({*zip(x, y, strict=True)}) == len(x)
    assert length * u == pytest.approx(0.3 * y + 0.01, rel=1e-5)
    assert length * v == pytest.approx(0.1 - x, rel=1e-5)

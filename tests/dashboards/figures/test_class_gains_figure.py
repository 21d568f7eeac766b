"""Tests of the figure of gains by class: one sorted bar per class, also for many classes."""

import numpy as np
import pytest

from dashboards.drawing.description import GREEN, RED
from dashboards.figures.class_gains import gains_figure

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize("n_classes", [10, 100])
def test_every_class_has_a_bar_the_gains_before_the_losses(n_classes):
    gains = dict(enumerate((DRAW.permutation(n_classes) - 0.3 * n_classes).tolist()))
    figure = gains_figure("class-wise recall", gains)
    (panel,) = figure.panels
    (bars,) = panel.marks
    assert {int(name): value for name, value in zip(bars.x, bars.y, strict=True)} == gains
    assert bars.y == sorted(gains.values(), reverse=True) and panel.x.names == bars.x
    assert bars.colours == [GREEN if value >= 0 else RED for value in bars.y]
    assert (figure.panel_size[0] > 4) == (n_classes > 20)

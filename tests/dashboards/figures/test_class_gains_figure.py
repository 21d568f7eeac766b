"""Gains class by class: a bar for each, sorted; many classes too."""

import io

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dashboards.figures.class_gains_figure import _GAIN, _LOSS, class_gains_figure

DRAW = np.random.default_rng(0)


def runs(image, colour):
    """How often a colour begins along each row of a picture, at most."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    found = (np.abs(image[..., :3] - wanted) < 0.02).all(-1)
    return int((np.diff(found.astype(int), axis=1, prepend=0) == 1).sum(1).max())


@pytest.mark.parametrize("n_classes", [10, 100])
def test_every_class_has_a_bar_the_gains_before_the_losses(n_classes):
    n_gains = n_classes * 7 // 10
    values = np.where(np.arange(n_classes) < n_gains, 1.0, -1.0)
    shuffled = DRAW.permutation(values)
    gains = {"class-wise recall": dict(enumerate(shuffled.tolist()))}
    data = class_gains_figure(gains, "ours minus base, by class")
    image = plt.imread(io.BytesIO(data))
    assert (runs(image, _GAIN), runs(image, _LOSS)) == (n_gains, n_classes - n_gains)
    gain, loss = (
        np.where((np.abs(image[..., :3] - np.array(c)) < 0.02).all(-1).any(0))[0]
        for c in (plt.matplotlib.colors.to_rgb(_GAIN), plt.matplotlib.colors.to_rgb(_LOSS))
    )
    assert gain.max() < loss.min()

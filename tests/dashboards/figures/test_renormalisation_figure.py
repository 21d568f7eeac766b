"""The figure of powers of a likelihood: dashed lines where scaling differs, and reproducible."""

import io

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from dashboards.figures.renormalisation_figure import _draw, renormalisation_figure
from scorelib.exact.renormalisation import TwoNormals

X = np.linspace(-5, 5, 2001)


def lines(alpha):
    """What is drawn of an example, by panel and label."""
    figure, axes = plt.subplots(3)
    _draw(axes, TwoNormals(centres=(-1.0, 1.0), alpha=alpha), X)
    drawn = [{line.get_label(): line.get_ydata() for line in axis.lines} for axis in axes]
    plt.close(figure)
    return drawn


@pytest.mark.parametrize("alpha", [0.2, 1.0, 10.0])
def test_densities_have_area_one_and_scores_are_their_slopes(alpha):
    densities, likelihoods, scores = lines(alpha)
    for name in ("meant, y = 0", "meant, y = 1", "scaled, y = 0", "scaled, y = 1", "prior"):
        assert np.trapezoid(densities[name], X) == pytest.approx(1, abs=1e-3)
    both = [likelihoods[f"p(y = {y} | x)^alpha / Z"] for y in (0, 1)]
    np.testing.assert_allclose(sum(both), 1)
    for name in ("meant", "scaled"):
        slope = np.gradient(np.log(densities[f"{name}, y = 1"]), X)
        np.testing.assert_allclose(scores[name][5:-5], slope[5:-5], atol=0.02)
    assert np.allclose(scores["meant"], scores["scaled"]) == (alpha == 1)


def test_equal_examples_are_equal_files_with_a_column_each():
    cases = [TwoNormals(centres=(-1.0, 1.0), alpha=alpha) for alpha in (0.2, 10.0)]
    ours, again = renormalisation_figure(cases), renormalisation_figure(cases)
    one = renormalisation_figure(cases[:1])
    assert ours == again
    width, narrower = (Image.open(io.BytesIO(data)).size[0] for data in (ours, one))
    assert width > 1.5 * narrower

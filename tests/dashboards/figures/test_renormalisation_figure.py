"""Tests of the figure of powers of a likelihood: one column each, dashed where scaling differs."""

import numpy as np
import pytest

from dashboards.figures.renormalisation import renormalisation_figure, rows
from scorelib.exact.renormalisation import TwoNormals

X = np.linspace(-5, 5, 2001)


def lines(alpha):
    """Returns what is drawn of an example, by panel and label."""
    case = TwoNormals(centres=(-1.0, 1.0), alpha=alpha)
    return [{line.label: np.array(line.y) for line in row} for row in rows(case, X)]


@pytest.mark.parametrize("alpha", [0.2, 1.0, 10.0])
def test_densities_have_area_one_and_scores_are_their_slopes(alpha):
    densities, likelihoods, scores = lines(alpha)
    for name in ("intended, y = 0", "intended, y = 1", "scaled, y = 0", "scaled, y = 1", "prior"):
        assert np.trapezoid(densities[name], X) == pytest.approx(1, abs=1e-3)
    both = [likelihoods[f"p(y = {y} | x)^alpha / Z"] for y in (0, 1)]
    np.testing.assert_allclose(sum(both), 1)
    for name in ("intended, y = 1", "scaled, y = 1"):
        slope = np.gradient(np.log(densities[name]), X)
        np.testing.assert_allclose(scores[name][5:-5], slope[5:-5], atol=0.02)
    assert np.allclose(scores["intended, y = 1"], scores["scaled, y = 1"]) == (alpha == 1)


def test_every_example_has_a_column_of_three_panels():
    cases = [TwoNormals(centres=(-1.0, 1.0), alpha=alpha) for alpha in (0.2, 10.0)]
    figure = renormalisation_figure(cases)
    assert figure.shape == (3, 2)
    titles = ["alpha = 0.2", "alpha = 10"]
    for row in range(3):
        assert [panel.title for panel in figure.panels[2 * row : 2 * row + 2]] == titles
    dashed = {line.label for panel in figure.panels for line in panel.marks if line.style == "dash"}
    assert dashed == {"scaled, y = 0", "scaled, y = 1"}

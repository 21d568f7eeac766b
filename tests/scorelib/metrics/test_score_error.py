"""Tests of score errors: zero for exact scores, the length of a known offset, Table 1's grid."""

import pytest
import torch

from scorelib.data import Moons
from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.metrics.score_error import (
    MOONS_SIGMA,
    ExactScores,
    moons_grid,
    score_error,
    scores_of,
)

ORACLE = Parzen(*Moons(n=1000).load("train"))
GRID = moons_grid()
KNOWN = ExactScores.of(ORACLE, GRID, MOONS_SIGMA)


def scaled(score, label, offset=(0.0, 0.0), factor=1.0):
    """Returns the function (x, sigma) -> sigma * (factor * score + offset)."""

    def function(x, sigma):
        return sigma * (factor * score(x, sigma, label) + torch.tensor(offset))

    return function


@pytest.mark.parametrize(
    ("errors", "exact"),
    [
        (KNOWN.posterior_errors, ORACLE.posterior_score),
        (KNOWN.likelihood_errors, ORACLE.likelihood_score),
    ],
)
def test_exact_scores_have_no_error_and_offsets_their_length(errors, exact):
    def found(functions):
        return errors(scores_of(functions, GRID, MOONS_SIGMA))

    assert found([scaled(exact, 0), scaled(exact, 1)]) == pytest.approx((0, 0), abs=1e-14)
    functions = [scaled(exact, 0, (0.03, -0.04)), scaled(exact, 1, (0.0, 2.0))]
    assert found(functions) == pytest.approx((0.05, 2.0), abs=1e-7)
    # With the factor 10 of the scaling method, the error is nine times the length of the score.
    lengths = [exact(GRID, MOONS_SIGMA, label).norm(dim=1).mean().item() for label in (0, 1)]
    functions = [scaled(exact, label, factor=10.0) for label in (0, 1)]
    assert found(functions) == pytest.approx([9 * length for length in lengths])


def test_the_grid_is_35_by_35_over_its_rectangle():
    assert GRID.shape == (1225, 2) and GRID.dtype == torch.float32
    assert len(GRID.unique(dim=0)) == 1225
    for column, end in ((0, 40), (1, 25)):
        values = GRID[:, column].unique()
        assert (len(values), values[0].item(), values[-1].item()) == (35, -end, end)
        torch.testing.assert_close(values.diff(), torch.full((34,), 2 * end / 34))


def test_a_classifier_that_has_learned_nothing_scores_0_150_on_the_moons():
    nothing = [lambda x, sigma: torch.zeros_like(x)] * 2
    whole = ExactScores.of(Parzen(*Moons().load("train")), GRID, MOONS_SIGMA)
    found = whole.likelihood_errors(scores_of(nothing, GRID, MOONS_SIGMA))
    assert found == pytest.approx((0.150, 0.150), abs=5e-4)


def test_the_error_is_the_mean_of_lengths_not_the_length_of_means():
    estimated = torch.tensor([[3.0, 4.0], [-3.0, -4.0], [0.0, 0.0]])
    assert score_error(estimated, torch.zeros(3, 2)) == pytest.approx(10 / 3)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="must have the same shape"):
        score_error(torch.zeros(3, 2), torch.zeros(2, 2))
    with pytest.raises(InputError, match="must be finite"):
        score_error(torch.full((1, 2), torch.nan), torch.zeros(1, 2))
    with pytest.raises(InputError, match="scores for each of the 2 classes, but got 1"):
        KNOWN.posterior_errors([KNOWN.posteriors[0]])

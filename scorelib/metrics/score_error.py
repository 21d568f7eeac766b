r"""Score errors: distances of estimated scores from the exact scores of a small data set.

The score of a density is the gradient of its logarithm. The posterior score belongs to the density
p(x | y) of one class y, the prior score to the density p(x) of all data, and the likelihood score
is the gradient of log p(y | x) in x. All densities are smoothed by Gaussian noise of level sigma.
The errors of estimated posterior scores S_P and likelihood scores S_L at a point x for a label y
are (Eq. 7)

    D_P(x, y) = |S_P(x | y) - grad log p_sigma(x | y)|       of posterior scores,
    D_L(x, y) = |S_L(y | x) - grad log p_sigma(y | x)|       of likelihood scores,

with Euclidean norms and the exact scores of `scorelib.exact.parzen`. The E[D] of Table 1 are means
over a regular grid (not over the data) at one noise level, one value per class. Their unit is that
of a score, 1 / (data unit). A useful reference is a classifier with constant output, whose
likelihood score is 0. Its error is the mean norm of the exact likelihood score, 0.150 for both
moons at sigma = 7.5. The errors in Table 1 of classifiers trained by cross entropy, 0.190 and
0.181, are larger.

The authors' reference scores use 10,000 random points and add 1e-8 to the density in the
denominator, which changes the scores by 0.013 in the mean over the grid. The scores here are exact,
so differences of this size from the table are expected.

References:
    Chao et al. (2022), Eq. 7, Tables 1 and A3, Appendix A.6.2; grid and level as in their code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen
from scorelib.networks import ScoreFunction

MOONS_SIGMA = 7.5
"""Noise level of Tables 1 and A3, in the data's units."""


def moons_grid() -> Tensor:
    """Returns the grid of Tables 1 and A3: 35 by 35 points on [-40, 40] x [-25, 25].

    Returns:
        Points, (1225, 2) float32, data units.
    """
    return torch.cartesian_prod(torch.linspace(-40, 40, 35), torch.linspace(-25, 25, 35))


def score_error(estimated: Tensor, exact: Tensor) -> float:
    """Computes the mean Euclidean distance of estimated scores from exact scores.

    Args:
        estimated: estimated scores, (N, D).
        exact: exact scores at the same points, (N, D).

    Raises:
        InputError: the shapes differ, or a score is not finite.
    """
    if estimated.shape != exact.shape or estimated.dim() != 2:
        raise InputError(
            "estimated and exact scores must have the same shape (N, D); got "
            f"{tuple(estimated.shape)} and {tuple(exact.shape)}"
        )
    distances = (estimated.double() - exact.double()).norm(dim=1)
    if not distances.isfinite().all():
        raise InputError("scores must be finite, but some are not")
    return distances.mean().item()


def scores_of(functions: Sequence[ScoreFunction], points: Tensor, sigma: float) -> list[Tensor]:
    """Evaluates functions (x, sigma) -> sigma * score and returns their scores.

    Args:
        functions: score networks, `GuidedNetwork`s or `ClassGuidance`s.
        points: evaluation points, (N, D), with the dtype and device of the functions; see
            `moons_grid`.
        sigma: noise level, data units, > 0.

    Returns:
        Scores, one (N, D) float64 tensor per function.
    """
    level = torch.tensor(sigma, dtype=points.dtype, device=points.device)
    with torch.no_grad():
        return [function(points, level).double() / sigma for function in functions]


@dataclass(frozen=True)
class ExactScores:
    """The exact scores of labelled data at given points and one noise level.

    Attributes:
        prior: prior scores, (N, D) float64.
        posteriors: posterior scores by class, (K, N, D) float64.
    """

    prior: Tensor
    posteriors: Tensor

    @classmethod
    def of(cls, oracle: Parzen, points: Tensor, sigma: float) -> Self:
        """Computes the exact scores of a Parzen density.

        Args:
            oracle: density of the data.
            points: evaluation points, (N, D); see `moons_grid`.
            sigma: noise level, data units, > 0.
        """
        return cls(*oracle.all_scores(points, sigma))

    @property
    def likelihoods(self) -> Tensor:
        """Likelihood scores by class, (K, N, D): posterior minus prior scores (Eq. 5)."""
        return self.posteriors - self.prior

    def posterior_errors(self, estimated: Sequence[Tensor]) -> tuple[float, ...]:
        """Computes E[D_P], the mean error of posterior scores, for each class.

        Args:
            estimated: estimated scores of each class, (N, D) each.

        Returns:
            Mean errors by class.

        Raises:
            InputError: there is not one estimate per class, or as for `score_error`.
        """
        return _errors(estimated, self.posteriors)

    def likelihood_errors(self, estimated: Sequence[Tensor]) -> tuple[float, ...]:
        """Computes E[D_L], the mean error of likelihood scores; see `posterior_errors`."""
        return _errors(estimated, self.likelihoods)


def _errors(estimated: Sequence[Tensor], exact: Tensor) -> tuple[float, ...]:
    if len(estimated) != len(exact):
        raise InputError(
            f"there must be one tensor of estimated scores for each of the {len(exact)} classes, "
            f"but got {len(estimated)} tensors"
        )
    return tuple(score_error(*pair) for pair in zip(estimated, exact, strict=True))

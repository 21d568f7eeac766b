r"""Score errors: how far estimated scores are from the exact ones of a small data set.

At a point x and for a label y, Eq. 7,

    D_P(x, y) = |S_P(x | y) - grad log p_sigma(x | y)|       of posterior scores,
    D_L(x, y) = |S_L(y | x) - grad log p_sigma(y | x)|       of likelihood scores,

Euclidean distances, with the exact scores of `scorelib.exact.parzen`. The table's E[D] are plain
means over a regular grid (not over the data), at one noise level, one number for each class. They
have the unit of a score, 1 / (data unit), and a baseline: always answering 0 for the likelihood
score, which is what a classifier that has learned nothing does, costs the mean length of the exact
one, 0.150 for both moons at sigma = 7.5. The table's 0.190 and 0.181 for cross entropy are worse.

The authors' oracle uses 10,000 random points and adds 1e-8 to the density it divides by, which
moves it by 0.013 in the mean over the grid. Here it is exact, so equal numbers are not to be
expected below that.

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
    """The points of Tables 1 and A3: 35 by 35 over [-40, 40] x [-25, 25].

    Returns:
        (1225, 2) float32.
    """
    return torch.cartesian_prod(torch.linspace(-40, 40, 35), torch.linspace(-25, 25, 35))


def score_error(estimated: Tensor, exact: Tensor) -> float:
    """Mean Euclidean distance of scores, (N, D) each.

    Raises:
        InputError: shapes that differ, or scores that are not finite.
    """
    if estimated.shape != exact.shape or estimated.dim() != 2:
        raise InputError(
            "estimated and exact scores must be of one shape (N, D); got "
            f"{tuple(estimated.shape)} and {tuple(exact.shape)}"
        )
    distances = (estimated.double() - exact.double()).norm(dim=1)
    if not distances.isfinite().all():
        raise InputError("scores must be finite to have an error; got some that are not")
    return distances.mean().item()


def scores_of(functions: Sequence[ScoreFunction], points: Tensor, sigma: float) -> list[Tensor]:
    """What functions (x, sigma) -> sigma * score answer, as scores.

    Args:
        functions: score networks, `GuidedNetwork`s or `ClassGuidance`s.
        points: where, (N, D), in the functions' type and on their device; see `moons_grid`.
        sigma: noise level.

    Returns:
        (N, D) float64 each.
    """
    level = torch.tensor(sigma, dtype=points.dtype, device=points.device)
    with torch.no_grad():
        return [function(points, level).double() / sigma for function in functions]


@dataclass(frozen=True)
class ExactScores:
    """The exact scores of labelled data at some points and one noise level.

    Attributes:
        prior: (N, D) float64.
        posteriors: by class, (K, N, D) float64.
    """

    prior: Tensor
    posteriors: Tensor

    @classmethod
    def of(cls, oracle: Parzen, points: Tensor, sigma: float) -> Self:
        """Those of a density.

        Args:
            oracle: the data's density.
            points: where, (N, D); see `moons_grid`.
            sigma: noise level.
        """
        return cls(*oracle.all_scores(points, sigma))

    @property
    def likelihoods(self) -> Tensor:
        """By class, (K, N, D): posterior minus prior scores, Eq. 5."""
        return self.posteriors - self.prior

    def posterior_errors(self, estimated: Sequence[Tensor]) -> tuple[float, ...]:
        """E[D_P] of each class, of posterior scores (N, D) each.

        Raises:
            InputError: not one for each class, or as `score_error`.
        """
        return _errors(estimated, self.posteriors)

    def likelihood_errors(self, estimated: Sequence[Tensor]) -> tuple[float, ...]:
        """E[D_L] of each class, of likelihood scores; see `posterior_errors`."""
        return _errors(estimated, self.likelihoods)


def _errors(estimated: Sequence[Tensor], exact: Tensor) -> tuple[float, ...]:
    if len(estimated) != len(exact):
        raise InputError(
            f"there must be one score for each of {len(exact)} classes; got {len(estimated)}"
        )
    return tuple(score_error(*pair) for pair in zip(estimated, exact, strict=True))

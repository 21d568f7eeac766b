r"""Score errors: how far estimated scores are from the exact ones of a small data set.

At a point x and for a label y, Eq. 7,

    D_P(x, y) = |S_P(x | y) - grad log p_sigma(x | y)|       of posterior scores,
    D_L(x, y) = |S_L(y | x) - grad log p_sigma(y | x)|       of likelihood scores,

Euclidean distances, with the exact scores of `scorelib.parzen`. The table's E[D] are plain means
over a regular grid (not over the data), at one noise level, one number for each class. They have
the unit of a score, 1 / (data unit), and a yardstick: always answering 0 for the likelihood score,
which is what a classifier that has learned nothing does, costs the mean length of the exact one,
0.150 for both moons at sigma = 7.5. The table's 0.190 and 0.181 for cross entropy are worse.

The authors' oracle uses 10,000 random points and adds 1e-8 to the density it divides by, which
moves it by 0.013 in the mean over the grid. Here it is exact, so equal numbers are not to be
expected below that.

References:
    Chao et al. (2022), Eq. 7, Tables 1 and A3, Appendix A.6.2; grid and level as in their code.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import ScoreFunction
from scorelib.parzen import Parzen

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


def posterior_errors(
    networks: Sequence[ScoreFunction], oracle: Parzen, sigma: float, points: Tensor
) -> tuple[float, ...]:
    """E[D_P] of each class.

    Args:
        networks: by class, (x, sigma) -> sigma * posterior score: a `GuidedNetwork` each, or score
            networks trained on one class each.
        oracle: the data's density.
        sigma: noise level.
        points: where, (N, D), in the networks' type and on their device; see `moons_grid`.

    Raises:
        InputError: not one network for each class.
    """
    return _errors(networks, oracle.posterior_score, oracle, sigma, points)


def likelihood_errors(
    guidances: Sequence[ScoreFunction], oracle: Parzen, sigma: float, points: Tensor
) -> tuple[float, ...]:
    """E[D_L] of each class.

    Args:
        guidances: by class, (x, sigma) -> sigma * likelihood score: a `ClassGuidance` each.
        oracle: the data's density.
        sigma: noise level.
        points: as for `posterior_errors`.

    Raises:
        InputError: not one function for each class.
    """
    return _errors(guidances, oracle.likelihood_score, oracle, sigma, points)


def _errors(
    functions: Sequence[ScoreFunction],
    exact: Callable[[Tensor, float, int], Tensor],
    oracle: Parzen,
    sigma: float,
    points: Tensor,
) -> tuple[float, ...]:
    if len(functions) != oracle.n_classes:
        raise InputError(
            f"there must be one score for each of {oracle.n_classes} classes; got {len(functions)}"
        )
    level = torch.tensor(sigma, dtype=points.dtype, device=points.device)
    with torch.no_grad():
        return tuple(
            score_error(function(points, level).double() / sigma, exact(points, sigma, label))
            for label, function in enumerate(functions)
        )

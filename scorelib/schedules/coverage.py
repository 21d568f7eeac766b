"""Coverage: how far the noise of a level falls into the range of the level before (Technique 2).

In D dimensions the noise of level i has a norm close to ``sqrt(D) sigma_i``. The share of it that
falls into the range of level i-1 (mean plus or minus three standard deviations of the norm) is the
coverage

    C = Phi(sqrt(2D) (g - 1) + 3g) - Phi(sqrt(2D) (g - 1) - 3g),     g = sigma_{i-1} / sigma_i.

C is the same at all levels of a geometric schedule. In the linear and cosine families C decreases
towards the low levels (g grows); in the sigmoid family C is smallest in the middle.

References:
    Song and Ermon, Improved techniques for training score-based generative models, NeurIPS 2020,
    https://arxiv.org/abs/2006.09011, Propositions 2 and 3, Technique 2.
"""

import math

from scorelib.errors import InputError


def coverage(gamma: float, n_dimensions: int) -> float:
    """Returns the share of a level's noise that falls into the range of the level before it.

    Args:
        gamma: ratio of neighbouring levels, in (0, 1).
        n_dimensions: dimension D of the data.

    Returns:
        Coverage C in (0, 1); Song and Ermon aim at 0.5.

    References:
        Song and Ermon (2020), Proposition 3 and Technique 2.
    """
    g = 1 / gamma
    shift = math.sqrt(2 * n_dimensions) * (g - 1)
    from scipy.special import ndtr  # imported here: only counts of levels need scipy

    return float(ndtr(shift + 3 * g) - ndtr(shift - 3 * g))


def n_levels_for_coverage(
    sigma_1: float, sigma_L: float, n_dimensions: int, target: float = 0.5
) -> int:
    """Returns the number of levels of the geometric schedule with coverage closest to `target`.

    Args:
        sigma_1: largest noise level, data units.
        sigma_L: smallest noise level, data units, in (0, sigma_1).
        n_dimensions: dimension D of the data.
        target: desired coverage C, in (0, 0.997).

    Returns:
        Number of levels, >= 2.

    Raises:
        InputError: `target` is out of its range, or the levels do not decrease.

    References:
        Song and Ermon (2020), Technique 2.
    """
    if not 0 < target < coverage(1 - 1e-12, n_dimensions):
        raise InputError(f"coverage target must be in (0, 0.997); got {target:g}")
    if not 0 < sigma_L < sigma_1:
        raise InputError(f"0 < sigma_L < sigma_1 must hold; got {sigma_1=:g}, {sigma_L=:g}")
    if coverage(sigma_L / sigma_1, n_dimensions) >= target:
        return 2  # in few dimensions the noise norms are so spread out that two levels overlap
    from scipy.optimize import brentq  # imported here because it takes a third of a second

    gamma = brentq(lambda g: coverage(g, n_dimensions) - target, sigma_L / sigma_1, 1 - 1e-12)
    return max(2, round(math.log(sigma_L / sigma_1) / math.log(gamma)) + 1)

"""Noise schedules: the strictly decreasing levels a score network is trained and sampled at.

A geometric schedule runs from `sigma_1`, large enough to join all modes of the data, down to
`sigma_L`, small enough not to be seen, with a constant ratio ``gamma = sigma_{i+1} / sigma_i < 1``.
Song and Ermon (2020) choose both ends of the trade-off from the data: `sigma_1` as the largest
Euclidean distance between two training points (Technique 1), and as many levels as make the norms
of neighbouring levels' noise overlap (Technique 2): in D dimensions the noise of level i has norm
close to ``sqrt(D) sigma_i``, and the share of it that falls where level i+1 has its mass (its mean
plus or minus three standard deviations) is

    C = Phi(sqrt(2D) (g - 1) + 3g) - Phi(sqrt(2D) (g - 1) - 3g),     g = 1 / gamma.

Consistent annealed sampling takes `n_sigma` times more, smaller steps through a *dilated* schedule
with the same ends, ``(n_levels - 1) n_sigma + 1`` levels and ratio ``gamma ** (1 / n_sigma)``.

References:
    Song and Ermon, Improved techniques for training score-based generative models, NeurIPS 2020,
    https://arxiv.org/abs/2006.09011, Propositions 1-3.
    Jolicoeur-Martineau et al., Adversarial score matching and improved sampling for image
    generation, ICLR 2021, https://arxiv.org/abs/2009.05475, Eq. 2 and Section 3.2.
"""

import math
from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor

from scorelib.errors import InputError
from scorelib.spec import Spec


@dataclass(frozen=True, kw_only=True)
class GeometricSchedule(Spec):
    """A geometric progression of noise levels; of a single level, if both ends are the same.

    Attributes:
        sigma_1: largest noise level, data units, > sigma_L (equal for one level).
        sigma_L: smallest noise level, data units, > 0.
        n_levels: number of levels, >= 1.
    """

    sigma_1: float
    sigma_L: float
    n_levels: int

    def validate(self) -> None:
        """Refuses schedules that do not strictly decrease to a positive level."""
        if self.n_levels == 1 and 0 < self.sigma_L == self.sigma_1:
            return
        if not 0 < self.sigma_L < self.sigma_1:
            raise InputError(
                "sigmas must strictly decrease to a positive level, 0 < sigma_L < sigma_1; "
                f"got sigma_1={self.sigma_1:g}, sigma_L={self.sigma_L:g}"
            )
        if self.n_levels < 2:
            raise InputError(
                f"n_levels must be at least 2 (1 if sigma_1 = sigma_L); got {self.n_levels}"
            )

    @property
    def gamma(self) -> float:
        """Ratio of neighbouring levels, ``sigma_{i+1} / sigma_i``, in (0, 1).

        Raises:
            InputError: a single level, which has no neighbour.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 for a ratio of levels; got 1")
        return float((self.sigma_L / self.sigma_1) ** (1 / (self.n_levels - 1)))

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The levels, strictly decreasing; both ends exact."""
        if self.n_levels == 1:
            return (self.sigma_L,)
        inner = [self.sigma_1 * self.gamma**i for i in range(1, self.n_levels - 1)]
        return (self.sigma_1, *inner, self.sigma_L)

    def dilated(self, n_sigma: int) -> "GeometricSchedule":
        """The schedule with the same ends and `n_sigma` steps for each of this one's.

        Args:
            n_sigma: steps per step, >= 1.

        Raises:
            InputError: n_sigma below 1.
        """
        if n_sigma < 1:
            raise InputError(f"n_sigma must be at least 1; got {n_sigma}")
        return self.replace(n_levels=(self.n_levels - 1) * n_sigma + 1)


def coverage(gamma: float, n_dimensions: int) -> float:
    """Share of a level's noise that falls within the reach of the level before it.

    Args:
        gamma: ratio of neighbouring levels, in (0, 1).
        n_dimensions: dimension D of the data.

    Returns:
        C in (0, 1); Song and Ermon aim at 0.5.

    References:
        Song and Ermon (2020), Proposition 3 and Technique 2.
    """
    g = 1 / gamma
    shift = math.sqrt(2 * n_dimensions) * (g - 1)
    return float(norm.cdf(shift + 3 * g) - norm.cdf(shift - 3 * g))


def n_levels_for_coverage(
    sigma_1: float, sigma_L: float, n_dimensions: int, target: float = 0.5
) -> int:
    """Number of levels whose coverage is nearest to `target`.

    Args:
        sigma_1: largest level.
        sigma_L: smallest level, below sigma_1.
        n_dimensions: dimension D of the data.
        target: coverage C wanted, in (0, 1).

    Raises:
        InputError: a target outside (0, 1) or levels that do not decrease.
    """
    if not 0 < target < coverage(1 - 1e-12, n_dimensions):
        raise InputError(f"coverage target must be in (0, 0.997); got {target:g}")
    if not 0 < sigma_L < sigma_1:
        raise InputError(f"0 < sigma_L < sigma_1 must hold; got {sigma_1=:g}, {sigma_L=:g}")
    if coverage(sigma_L / sigma_1, n_dimensions) >= target:
        return 2  # in few dimensions noise spreads so wide that two levels overlap enough
    gamma = brentq(lambda g: coverage(g, n_dimensions) - target, sigma_L / sigma_1, 1 - 1e-12)
    return max(2, round(math.log(sigma_L / sigma_1) / math.log(gamma)) + 1)


@dataclass(frozen=True)
class Diameter:
    """The largest distance between two points of a set, and how far off it may be.

    Attributes:
        value: a distance that two points of the set really have.
        error: the largest distance is at most ``value + error``; 0 when exact.
    """

    value: float
    error: float


def largest_pairwise_distance(points: Tensor, *, exact_up_to: int = 20_000) -> Diameter:
    """Largest Euclidean distance between two points: Song and Ermon's choice of sigma_1.

    Args:
        points: data, shape (N, ...), N >= 2; trailing dimensions are flattened.
        exact_up_to: largest N for which all N^2 / 2 distances are computed (in chunks, so memory
            stays O(N)). Beyond it the value comes from farthest-point sweeps and the error from
            the triangle inequality around the mean.

    Returns:
        The diameter with its error, data units.
    """
    flat = points.flatten(1).double()
    if len(flat) < 2:
        raise InputError(f"a distance needs at least 2 points; got {len(flat)}")
    if len(flat) <= exact_up_to:
        chunks = flat.split(max(1, 8_000_000 // len(flat)))
        largest = max(_distances(chunk, flat).max().item() for chunk in chunks)
        return Diameter(value=largest, error=0.0)
    centre = flat.mean(0, keepdim=True)
    radii = _distances(centre, flat)[0]
    value, index = 0.0, int(radii.argmax())
    for _ in range(16):
        sweep = _distances(flat[index : index + 1], flat)[0]
        if sweep.max().item() <= value:
            break
        value, index = sweep.max().item(), int(sweep.argmax())
    widest = radii.topk(2).values.sum().item()
    return Diameter(value=value, error=max(0.0, widest - value))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")

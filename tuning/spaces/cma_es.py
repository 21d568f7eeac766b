"""CMA-ES, the covariance matrix adaptation evolution strategy, on the unit cube.

The strategy draws a generation of points from a normal distribution, ranks the points, and moves
mean, step size and covariance towards the better half. Only the ranks count, so numbers of any sign
and scale can be searched by. The state is a pure function of the ranked generations.

References:
    Hansen, The CMA evolution strategy: a tutorial, arXiv:1604.00772, 2016 (positive weights;
    equation numbers in the code).
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FIRST_STEP = 0.3
_MOST_DRAWN = 100  # draws of a point until one is inside the cube


def population(n: int) -> int:
    """Returns the number of points of a generation in n dimensions (Eq. 48)."""
    return 4 + int(3 * math.log(n))


class CmaEs:
    """The state of the strategy; starts in the middle of the cube.

    Args:
        n: number of dimensions, >= 1.
    """

    def __init__(self, n: int) -> None:
        self._n, self.size = n, population(n)
        self._mean, self._step, self._covariance = np.full(n, 0.5), _FIRST_STEP, np.eye(n)
        self._step_path, self._path, self._n_told = np.zeros(n), np.zeros(n), 0
        half = self.size // 2
        raw = math.log((self.size + 1) / 2) - np.log(np.arange(1, half + 1))
        self._weights: Array = raw / raw.sum()
        self._mass = 1 / float((self._weights**2).sum())  # mu_eff, Eq. 8

    def tell(self, ranked: Array) -> None:
        """Moves the distribution towards the best points of a generation.

        Args:
            ranked: points of a generation, best first, (size, n).
        """
        n, mass = self._n, self._mass
        self._n_told += 1
        rate = (mass + 2) / (n + mass + 5)  # c_sigma, Eq. 55
        damping = 1 + 2 * max(0.0, math.sqrt((mass - 1) / (n + 1)) - 1) + rate
        path_rate = (4 + mass / n) / (n + 4 + 2 * mass / n)  # c_c, Eq. 56
        one = 2 / ((n + 1.3) ** 2 + mass)  # c_1, Eq. 57
        many = min(1 - one, 2 * (mass - 2 + 1 / mass) / ((n + 2) ** 2 + mass))  # c_mu, Eq. 58
        expected = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))

        steps = (ranked[: len(self._weights)] - self._mean) / self._step
        shift = self._weights @ steps
        self._mean = self._mean + self._step * shift
        scales, axes = np.linalg.eigh(self._covariance)
        whitened = axes @ ((axes.T @ shift) / np.sqrt(np.maximum(scales, 1e-20)))
        self._step_path = (1 - rate) * self._step_path  # Eq. 43
        self._step_path += math.sqrt(rate * (2 - rate) * mass) * whitened
        length = float(np.linalg.norm(self._step_path))
        decay = math.sqrt(1 - (1 - rate) ** (2 * self._n_told))
        is_short = length / decay < (1.4 + 2 / (n + 1)) * expected
        self._path = (1 - path_rate) * self._path  # Eq. 45
        self._path += is_short * math.sqrt(path_rate * (2 - path_rate) * mass) * shift
        stall = (1 - is_short) * path_rate * (2 - path_rate)
        self._covariance = (  # Eq. 47
            (1 - one - many + one * stall) * self._covariance
            + one * np.outer(self._path, self._path)
            + many * (steps.T * self._weights) @ steps
        )
        self._step = min(1.0, self._step * math.exp(rate / damping * (length / expected - 1)))

    def ask(self, rng: np.random.Generator) -> Array:
        """Returns a random point of the next generation, inside the cube, (n,).

        Args:
            rng: source of the random numbers.
        """
        scales, axes = np.linalg.eigh(self._covariance)
        spread = axes * np.sqrt(np.maximum(scales, 1e-20))
        for _ in range(_MOST_DRAWN):
            point = self._mean + self._step * (spread @ rng.standard_normal(self._n))
            if (point >= 0).all() and (point <= 1).all():
                break
        inside: Array = point.clip(0, 1)
        return inside

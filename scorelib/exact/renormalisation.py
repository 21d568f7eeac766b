r"""What scaling a likelihood score means: likelihoods to a power, in closed form.

Guidance with alpha times the likelihood score is often put as sampling with p(y | x)^alpha / Z as
likelihood. With Z a constant this is no density in general (Proposition 2): for y | x normal of a
standard deviation that depends on x,

    int p(y | x)^alpha dy = (2 pi std(x)^2)^((1 - alpha) / 2) / sqrt(alpha)

depends on x unless alpha = 1. With Z(x) that integral, it is one, but its score has a second term,

    grad log p~(y | x) = alpha grad log p(y | x) - grad log Z(x),                            (A1)
    grad log p~(x | y) = grad log p~(y | x) + grad log p(x),                                 (A2)

which scaling leaves out. `TwoNormals` is the example of Figure A1: two classes alike, x | y normal
around a centre of its own with one standard deviation. There, with the log odds

    l(x) = log p(y=1 | x) / p(y=0 | x) = (c_1 - c_0) (x - (c_0 + c_1) / 2) / std^2,

p~(y=1 | x) is the logistic function of alpha l(x). By symmetry the classes stay alike, p~(y) = 1/2,
so p~(x | y) = 2 p~(y | x) p(x): for alpha > 1 more concentrated, for alpha < 1 more dispersed.
What scaling samples is another density, proportional to p~(x | y) Z(x): with alpha > 1, Z is small
where the classes meet, and the samples keep away from there.

References:
    Chao et al. (2022), Proposition 2, Eqs. A1 and A2, Figure A1.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit

from scorelib.errors import InputError

Array = NDArray[np.float64]


def normal_power_integral(std: ArrayLike, alpha: float) -> Array:
    """The integral of a normal density to the power alpha; 1 for alpha = 1.

    Args:
        std: standard deviation, > 0, any shape.
        alpha: exponent, > 0.

    Returns:
        Of the shape of `std`.
    """
    variance = np.square(np.asarray(std, dtype=np.float64))
    return (2 * math.pi * variance) ** ((1 - alpha) / 2) / math.sqrt(alpha)


@dataclass(frozen=True, kw_only=True)
class TwoNormals:
    """Figure A1's example; x has any shape in all its functions, y is 0 or 1.

    Args:
        centres: of x given y = 0 and y = 1, different.
        std: of x given y, > 0.
        alpha: exponent of the likelihood, > 0; 1 leaves everything as it is.

    Raises:
        InputError: a value outside its range.
    """

    centres: tuple[float, float]
    std: float = 1.0
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.std <= 0 or self.alpha <= 0 or self.centres[0] == self.centres[1]:
            raise InputError(f"std and alpha must be > 0 and the centres differ; got {self}")

    def prior(self, x: ArrayLike) -> Array:
        """p(x), which does not depend on alpha."""
        z = (np.asarray(x)[..., None] - np.array(self.centres)) / self.std
        return (np.exp(-(z**2) / 2) / (self.std * math.sqrt(2 * math.pi))).mean(axis=-1)

    def likelihood(self, x: ArrayLike, y: int) -> Array:
        """p~(y | x)."""
        return expit(self.alpha * self._log_odds(x, y))

    def normaliser(self, x: ArrayLike) -> Array:
        """Z(x), the sum of p(y | x)^alpha over y."""
        return sum(np.exp(self.alpha * log_expit(self._log_odds(x, y))) for y in (0, 1))

    def posterior(self, x: ArrayLike, y: int) -> Array:
        """p~(x | y), of integral 1."""
        return 2 * self.likelihood(x, y) * self.prior(x)

    def likelihood_score(self, x: ArrayLike, y: int) -> Array:
        """d/dx log p~(y | x), Eq. A1."""
        return self.alpha * self._slope(y) * self.likelihood(x, 1 - y)

    def prior_score(self, x: ArrayLike) -> Array:
        """d/dx log p(x)."""
        share = expit(self._log_odds(x, 1))  # of y = 1, as without alpha
        mean = (1 - share) * self.centres[0] + share * self.centres[1]
        return (mean - np.asarray(x)) / self.std**2

    def posterior_score(self, x: ArrayLike, y: int) -> Array:
        """d/dx log p~(x | y), Eq. A2."""
        return self.likelihood_score(x, y) + self.prior_score(x)

    def scaled_score(self, x: ArrayLike, y: int) -> Array:
        """What the scaling method samples with: alpha d/dx log p(y | x) + d/dx log p(x)."""
        unscaled = self._slope(y) * expit(self._log_odds(x, 1 - y))
        return self.alpha * unscaled + self.prior_score(x)

    def scaled_posterior(self, x: ArrayLike, y: int) -> Array:
        """The density, but for a factor, whose score `scaled_score` is: p(y | x)^alpha p(x)."""
        return self.posterior(x, y) * self.normaliser(x)

    def _slope(self, y: int) -> float:
        """Of the log odds of y against the other class, in x."""
        return (self.centres[y] - self.centres[1 - y]) / self.std**2

    def _log_odds(self, x: ArrayLike, y: int) -> Array:
        return self._slope(y) * (np.asarray(x, dtype=np.float64) - sum(self.centres) / 2)

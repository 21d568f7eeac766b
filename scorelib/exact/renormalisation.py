r"""Powers of a likelihood in closed form: the effect of scaling a likelihood score by alpha.

Guidance with alpha times the likelihood score is often described as sampling with the likelihood
p(y | x)^alpha / Z. For constant Z this is not a density in general (Proposition 2): if y | x is
normal with a standard deviation that depends on x,

    int p(y | x)^alpha dy = (2 pi std(x)^2)^((1 - alpha) / 2) / sqrt(alpha)

depends on x unless alpha = 1. If Z(x) is this integral, p~(y | x) = p(y | x)^alpha / Z(x) is a
density, but its score has a second term,

    grad log p~(y | x) = alpha grad log p(y | x) - grad log Z(x),                            (A1)
    grad log p~(x | y) = grad log p~(y | x) + grad log p(x),                                 (A2)

which the scaling method omits. `TwoNormals` is the example of Figure A1: two equally likely
classes, where x | y is normal with a different centre for each class and the same standard
deviation. With the log odds

    l(x) = log p(y=1 | x) / p(y=0 | x) = (c_1 - c_0) (x - (c_0 + c_1) / 2) / std^2,

p~(y=1 | x) is the logistic function of alpha l(x). By symmetry the classes remain equally likely,
p~(y) = 1/2, so p~(x | y) = 2 p~(y | x) p(x), which is more concentrated than p(x | y) for alpha > 1
and more dispersed for alpha < 1. The scaling method samples from a different density, proportional
to p~(x | y) Z(x). For alpha > 1, Z is small where the classes overlap, so samples are rare there.

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
    """Returns the integral of a normal density raised to the power alpha; 1 for alpha = 1.

    Args:
        std: standard deviation, > 0, any shape.
        alpha: exponent, > 0.

    Returns:
        Integrals, float64, of the shape of `std`.

    References:
        Chao et al. (2022), Proposition 2.
    """
    variance = np.square(np.asarray(std, dtype=np.float64))
    return (2 * math.pi * variance) ** ((1 - alpha) / 2) / math.sqrt(alpha)


@dataclass(frozen=True, kw_only=True)
class TwoNormals:
    """Two equally likely classes of normally distributed x, the example of Figure A1.

    In all methods x has any shape, y is 0 or 1, and the result has the shape of x.

    Args:
        centres: means of x given y = 0 and given y = 1, which must differ.
        std: standard deviation of x given y, > 0.
        alpha: exponent of the likelihood, > 0; alpha = 1 leaves the densities unchanged.

    Raises:
        InputError: a value is outside its range.
    """

    centres: tuple[float, float]
    std: float = 1.0
    alpha: float = 1.0

    def __post_init__(self) -> None:
        if self.std <= 0 or self.alpha <= 0 or self.centres[0] == self.centres[1]:
            raise InputError(f"std and alpha must be > 0 and the centres must differ; got {self}")

    def prior(self, x: ArrayLike) -> Array:
        """Returns p(x), which does not depend on alpha."""
        z = (np.asarray(x)[..., None] - np.array(self.centres)) / self.std
        return (np.exp(-(z**2) / 2) / (self.std * math.sqrt(2 * math.pi))).mean(axis=-1)

    def likelihood(self, x: ArrayLike, y: int) -> Array:
        """Returns the renormalised likelihood p~(y | x)."""
        return expit(self.alpha * self._log_odds(x, y))

    def normaliser(self, x: ArrayLike) -> Array:
        """Returns the normaliser Z(x), the sum of p(y | x)^alpha over y."""
        return sum(np.exp(self.alpha * log_expit(self._log_odds(x, y))) for y in (0, 1))

    def posterior(self, x: ArrayLike, y: int) -> Array:
        """Returns the renormalised posterior p~(x | y), which integrates to 1."""
        return 2 * self.likelihood(x, y) * self.prior(x)

    def likelihood_score(self, x: ArrayLike, y: int) -> Array:
        """Returns the renormalised likelihood score d/dx log p~(y | x) (Eq. A1)."""
        return self.alpha * self._slope(y) * self.likelihood(x, 1 - y)

    def prior_score(self, x: ArrayLike) -> Array:
        """Returns the prior score d/dx log p(x)."""
        share = expit(self._log_odds(x, 1))  # p(y = 1 | x), which does not depend on alpha
        mean = (1 - share) * self.centres[0] + share * self.centres[1]
        return (mean - np.asarray(x)) / self.std**2

    def posterior_score(self, x: ArrayLike, y: int) -> Array:
        """Returns the renormalised posterior score d/dx log p~(x | y) (Eq. A2)."""
        return self.likelihood_score(x, y) + self.prior_score(x)

    def scaled_score(self, x: ArrayLike, y: int) -> Array:
        """Returns the score of the scaling method, alpha d/dx log p(y | x) + d/dx log p(x)."""
        unscaled = self._slope(y) * expit(self._log_odds(x, 1 - y))
        return self.alpha * unscaled + self.prior_score(x)

    def scaled_posterior(self, x: ArrayLike, y: int) -> Array:
        """Returns the unnormalised density of the scaling method, 2 p(y | x)^alpha p(x).

        Its score is `scaled_score`.
        """
        return self.posterior(x, y) * self.normaliser(x)

    def _slope(self, y: int) -> float:
        """Returns the slope, in x, of the log odds of y against the other class."""
        return (self.centres[y] - self.centres[1 - y]) / self.std**2

    def _log_odds(self, x: ArrayLike, y: int) -> Array:
        return self._slope(y) * (np.asarray(x, dtype=np.float64) - sum(self.centres) / 2)

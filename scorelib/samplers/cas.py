"""Consistent annealed sampling (CAS), Algorithm 2, on any schedule.

The sampler makes one update per level of the schedule dilated by `n_sigma`. With the fraction eta_i
of the way to the expected denoised sample,

    x <- x + eta_i sigma_i^2 score(x, sigma_i) + beta_i sigma_{i+1} z,     sigma_{n+1} = 0,

and standard normal noise z. The coefficient beta_i is chosen so that, with an exact score, the
noise in x has standard deviation sigma_i before update i (Proposition 2),

    beta_i = sqrt(1 - (1 - eta_i)^2 / gamma_i^2),     gamma_i = sigma_{i+1} / sigma_i.

After the last update the standard deviation is |1 - eta_n| sigma_L. There are two forms:

- `Cas` has one epsilon: ``eta = epsilon / sigma_L^2`` at all levels. The levels with the smallest
  ratio bound epsilon.
- `CasInR` has one r: ``eta_i = r (1 - gamma_i)``. At r = 1 each update follows the schedule without
  new noise, however far the next level is. No level follows the last update, so the last update has
  the same eta as the update before.

On a geometric schedule both are the paper's Algorithm 2, with ``epsilon = r sigma_L^2 (1 -
gamma)``. The paper remarks that beta depends on the level where the schedule is not geometric, and
uses geometric schedules alone.

References:
    Jolicoeur-Martineau et al. (2021), https://arxiv.org/abs/2009.05475, Algorithm 2 and
    Proposition 2.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from scorelib.errors import InputError
from scorelib.samplers.base import AnnealedSampler, EpsilonSampler, Interpolation
from scorelib.schedules import Schedule, as_geometric
from scorelib.step_size import cas_interval, cas_r_interval, eta, extrapolate_cas


@dataclass(frozen=True, kw_only=True)
class ConsistentSampler(AnnealedSampler):
    """Base of the forms of consistent annealed sampling."""

    KIND = "ConsistentSampler"

    @abstractmethod
    def etas(self, dilated: Schedule) -> Sequence[float]:
        """Returns the fraction eta of each update, one per level of the dilated schedule."""

    def n_evaluations(self, schedule: Schedule) -> int:
        """Returns (n_levels - 1) n_sigma + 1, the number of levels of the dilated schedule."""
        return schedule.dilated(self.n_sigma).n_levels

    def updates(self, schedule: Schedule) -> list[Interpolation]:
        """Returns one update per level of the dilated schedule."""
        dilated = schedule.dilated(self.n_sigma)
        *shares, last = self.etas(dilated)
        return [
            *_consistent(pairwise(dilated.sigmas), shares),
            Interpolation(schedule.sigma_L, last, 0.0),
        ]


def _consistent(
    steps: Iterable[tuple[float, float]], shares: Iterable[float]
) -> Iterable[Interpolation]:
    for (sigma, following), share in zip(steps, shares, strict=True):
        # beta sigma_{i+1}: the noise to add so that the shrunken noise reaches the next level.
        missing = max(0.0, following**2 - ((1 - share) * sigma) ** 2)
        yield Interpolation(sigma, share, math.sqrt(missing))


@dataclass(frozen=True, kw_only=True)
class Cas(ConsistentSampler, EpsilonSampler):
    """Consistent annealed sampling with one epsilon; the module docstring has the update."""

    KIND = "Cas"

    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Returns the interval of epsilon with a real beta at every level, data units squared."""
        return cas_interval(schedule.sigma_L, schedule.dilated(self.n_sigma).gamma_min)

    def etas(self, dilated: Schedule) -> list[float]:
        """Returns the same eta for all updates; see `ConsistentSampler.etas`."""
        return [eta(self.epsilon, dilated.sigma_L)] * dilated.n_levels

    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """Returns the step size for n_sigma' with beta' = beta sqrt(n_sigma / n_sigma').

        Raises:
            InputError: the schedule is not geometric, so that there is no single beta, or beta' is
                1 or more.
        """
        gamma = as_geometric(schedule, "the extrapolation of cas").gamma
        return extrapolate_cas(
            self.epsilon, schedule.sigma_L, gamma, n_from=self.n_sigma, n_to=n_sigma
        )


@dataclass(frozen=True, kw_only=True)
class CasInR(ConsistentSampler):
    """Consistent annealed sampling with one r: the natural form where the ratios of levels vary.

    Attributes:
        r: size of each update in units of the update that just follows the schedule, inside
            `interval`.
    """

    KIND = "CasInR"
    STEP_SIZE: ClassVar[str] = "r"

    r: float

    @property
    def label(self) -> str:
        """The sampler's name in figures: "CAS in r"."""
        return "CAS in r"

    def validate(self) -> None:
        """Raises InputError if `n_sigma` is below 1 or `r` is not above 1."""
        super().validate()
        if not self.r > 1:
            raise InputError(f"r must be above 1, but got {self.r:g}")

    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Returns the interval of r with a real beta at every level."""
        return cas_r_interval(schedule.dilated(self.n_sigma).gamma_min)

    def etas(self, dilated: Schedule) -> list[float]:
        """Returns eta = r (1 - gamma) of each level; see `ConsistentSampler.etas`."""
        shares = [self.r * (1 - gamma) for gamma in dilated.ratios]
        return [*shares, shares[-1]]

    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """Returns the same r: good values are nearly the same for all n_sigma."""
        return self.r

    def relative_step(self, schedule: Schedule) -> float:
        """Returns r."""
        return self.r

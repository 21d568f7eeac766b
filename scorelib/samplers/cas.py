"""Consistent annealed sampling (CAS), Algorithm 2.

The sampler makes one update per level of the schedule dilated by `n_sigma`,

    x <- x + alpha_i score(x, sigma_i) + beta sigma_{i+1} z,     sigma_{n+1} = 0,

with ``alpha_i = epsilon sigma_i^2 / sigma_L^2`` and standard normal noise z. The coefficient beta
is chosen so that, with an exact score, the noise in x has standard deviation sigma_i before update
i (Proposition 2). After the last update it is (1 - eta) sigma_L, with
``eta = epsilon / sigma_L^2``. A single beta for all updates requires the same ratio between all
neighbouring levels, so schedules that are not geometric raise InputError.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from scorelib.samplers.base import AnnealedSampler, Interpolation
from scorelib.schedules import GeometricSchedule, Schedule, as_geometric
from scorelib.step_size import cas_interval, eta, extrapolate_cas


@dataclass(frozen=True, kw_only=True)
class Cas(AnnealedSampler):
    """Consistent annealed sampling: the noise in x follows the schedule for any n_sigma.

    References:
        Jolicoeur-Martineau et al. (2021), Algorithm 2 and Proposition 2.
    """

    KIND = "Cas"

    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Returns the interval of step sizes with a real beta on the dilated schedule."""
        return cas_interval(schedule.sigma_L, self._dilated(schedule).gamma)

    def n_evaluations(self, schedule: Schedule) -> int:
        """Returns (n_levels - 1) n_sigma + 1, the number of levels of the dilated schedule."""
        return self._dilated(schedule).n_levels

    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """Returns the step size for n_sigma' with beta' = beta sqrt(n_sigma / n_sigma')."""
        gamma = as_geometric(schedule, "cas").gamma
        return extrapolate_cas(
            self.epsilon, schedule.sigma_L, gamma, n_from=self.n_sigma, n_to=n_sigma
        )

    def updates(self, schedule: Schedule) -> list[Interpolation]:
        """Returns one update per level of the dilated schedule."""
        share = eta(self.epsilon, schedule.sigma_L)
        sigmas = self._dilated(schedule).sigmas
        updates = []
        for sigma, following in pairwise(sigmas):
            # beta sigma_{i+1}: the noise to add so that the shrunken noise reaches the next level.
            missing = max(0.0, following**2 - ((1 - share) * sigma) ** 2)
            updates.append(Interpolation(sigma, share, math.sqrt(missing)))
        return [*updates, Interpolation(schedule.sigma_L, share, 0.0)]

    def _dilated(self, schedule: Schedule) -> GeometricSchedule:
        return as_geometric(schedule, "cas").dilated(self.n_sigma)

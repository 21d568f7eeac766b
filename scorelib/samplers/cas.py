"""Consistent annealed sampling (CAS), Algorithm 2.

One update per level of the schedule dilated by `n_sigma`,

    x <- x + alpha_i score(x, sigma_i) + beta sigma_{i+1} z,     sigma_{n+1} = 0,

with beta such that, with an exact score, the noise in x is exactly sigma_i before update i
(Proposition 2); after the last it is (1 - eta) sigma_L. That beta is one number takes one ratio of
neighbouring levels: schedules that are not geometric are refused.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from scorelib.samplers.base import AnnealedSampler, Interpolation
from scorelib.schedules import GeometricSchedule, Schedule, as_geometric
from scorelib.step_size import cas_interval, eta, extrapolate_cas


@dataclass(frozen=True, kw_only=True)
class Cas(AnnealedSampler):
    """Consistent annealed sampling: the noise keeps to its schedule for any number of steps.

    References:
        Jolicoeur-Martineau et al. (2021), Algorithm 2 and Proposition 2.
    """

    KIND = "Cas"

    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Step sizes with a real beta on the schedule dilated by n_sigma."""
        return cas_interval(schedule.sigma_L, self._dilated(schedule).gamma)

    def n_evaluations(self, schedule: Schedule) -> int:
        """(n_levels - 1) n_sigma + 1 updates and network calls."""
        return self._dilated(schedule).n_levels

    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """The step size at n_sigma' with beta' = beta sqrt(n_sigma / n_sigma')."""
        gamma = as_geometric(schedule, "cas").gamma
        return extrapolate_cas(
            self.epsilon, schedule.sigma_L, gamma, n_from=self.n_sigma, n_to=n_sigma
        )

    def updates(self, schedule: Schedule) -> list[Interpolation]:
        """One at each level of the dilated schedule."""
        share = eta(self.epsilon, schedule.sigma_L)
        sigmas = self._dilated(schedule).sigmas
        updates = []
        for sigma, following in pairwise(sigmas):
            # beta sigma_{i+1}: what is missing from the shrunken noise to the next level.
            missing = max(0.0, following**2 - ((1 - share) * sigma) ** 2)
            updates.append(Interpolation(sigma, share, math.sqrt(missing)))
        return [*updates, Interpolation(schedule.sigma_L, share, 0.0)]

    def _dilated(self, schedule: Schedule) -> GeometricSchedule:
        return as_geometric(schedule, "cas").dilated(self.n_sigma)

"""Annealed Langevin sampling (ALS), Algorithm 1.

At each noise level sigma_i, the sampler makes `n_sigma` Langevin updates

    x <- x + alpha_i score(x, sigma_i) + sqrt(2 alpha_i) z,

with ``alpha_i = epsilon sigma_i^2 / sigma_L^2`` and standard normal noise z.

With an exact score, the standard deviation v of the noise in x follows
``v^2 <- v^2 (1 - eta)^2 + 2 eta sigma_i^2``, where ``eta = epsilon / sigma_L^2``. It always stays
above sigma_i (Proposition 1). The final x therefore carries visible noise, which is why the
denoised result scores so much better.

Because eta is the same at all levels, the sampler works with schedules of any family. Song and
Ermon write the same update with half the step: ``alpha_i / 2`` before the score and
``sqrt(alpha_i)`` before z; `scorelib.step_size.epsilon_of_langevin_step` converts their step size.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from scorelib.samplers.base import Draw, EpsilonSampler, Interpolation, SamplerState, ScaledScore
from scorelib.schedules import Schedule
from scorelib.step_size import als_interval, eta, extrapolate_als


@dataclass(frozen=True, kw_only=True)
class Als(EpsilonSampler):
    """Annealed Langevin sampling.

    Attributes:
        extra_call: whether one more network evaluation denoises the final state, as in the code of
            NCSNv2. Otherwise the denoised result is that of the state before the last update.

    References:
        Song and Ermon (2019), https://arxiv.org/abs/1907.05600, Algorithm 1, in the
        parametrisation of Jolicoeur-Martineau et al. (2021), Algorithm 1.
    """

    KIND = "Als"

    extra_call: bool = False

    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Returns the interval of stable step sizes, (0, 2 sigma_L^2)."""
        return als_interval(schedule.sigma_L)

    def n_evaluations(self, schedule: Schedule) -> int:
        """Returns n_levels * n_sigma, plus one with `extra_call`."""
        return schedule.n_levels * self.n_sigma + self.extra_call

    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """Returns epsilon scaled in inverse proportion to n_sigma (Appendix B)."""
        return extrapolate_als(self.epsilon, n_from=self.n_sigma, n_to=n_sigma)

    def updates(self, schedule: Schedule) -> list[Interpolation]:
        """Returns `n_sigma` equal updates at each level of the schedule."""
        share = eta(self.epsilon, schedule.sigma_L)
        levels = [
            Interpolation(sigma, share, math.sqrt(2 * share) * sigma) for sigma in schedule.sigmas
        ]
        return [update for update in levels for _ in range(self.n_sigma)]

    def walk(
        self, scaled_score: ScaledScore, x: Tensor, schedule: Schedule, draw: Draw
    ) -> Iterator[SamplerState]:
        """Yields the states of `Sampler.walk`.

        With `extra_call`, `denoised` of the last state is computed from that state's own x.
        """
        for state in super().walk(scaled_score, x, schedule, draw):
            if self.extra_call and state.denoised is not None:
                move = state.sigma * scaled_score(state.x, state.sigma)
                state = dataclasses.replace(state, denoised=state.x + move)
            yield state

"""Predictor-corrector sampling of the variance-exploding diffusion (VE-SDE).

Adding noise to data is a diffusion whose variance grows from sigma_L^2 to sigma_1^2. The reverse
diffusion leads from noise to data. The sampler takes N steps through geometric levels ``sigma_k``
from sigma_1 to sigma_L; of the trained schedule only these two ends are used. At each level, a
corrector makes a Langevin step, and a predictor moves x to the next level:

    corrector    x <- x + e score(x, sigma_k) + sqrt(2 e) z,
                 e = 2 (snr |z| / |score|)^2, with norms averaged over the batch
    predictor    x <- x + G^2 score(x, sigma_k) + G z,        G^2 = sigma_k^2 - sigma_{k+1}^2,

with sigma_{N+1} = 0, so ``G = sigma_L`` in the last step. The mean of that step, without the noise
G z, is the expected denoised sample H(x, sigma_L), which the authors return. Here the mean is
`denoised` of the last state; x of the last state includes the noise.

In the authors' code the corrector comes first, so the start x ~ N(0, sigma_1^2) is corrected too.
In the printed algorithm the predictor comes first: a corrector follows each predictor at the level
that the predictor has reached, except after the last predictor. The two orders therefore differ
only in the first corrector.

The step size e depends on all examples of the batch. For a large batch and data N(0, s^2), let
``w = s^2 + sigma_k^2``. The variance v of x then follows

    corrector    e = 2 snr^2 w^2 / v,    v <- (1 - e / w)^2 v + 2 e
    predictor    v <- (1 - G^2 / w)^2 v + G^2.

The fixed point of the corrector is ``(1 + snr^2) w``, which is stable for snr < 1.

The authors' code evaluates the network at ``sigma_k (sigma_1 / sigma_L)^t``, where t grows from
0 to 1e-5 from the first level to the last. For levels from 50 to 0.01 this is at most 0.009 % above
sigma_k.

References:
    Song et al., Score-based generative modeling through stochastic differential equations, ICLR
    2021, https://arxiv.org/abs/2011.13456, Algorithms 2 and 4, Appendix G.
    Chao et al. (2022), https://arxiv.org/abs/2203.14206, Algorithm 1 (on CIFAR).
"""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from scorelib.errors import InputError
from scorelib.samplers.base import Draw, Sampler, Update
from scorelib.schedules import GeometricSchedule, Schedule


@dataclass(frozen=True, kw_only=True)
class PredictorCorrector(Sampler):
    """Predictor-corrector sampler: reverse diffusion with one Langevin step per level.

    Attributes:
        n_steps: number N of predictor steps, >= 2.
        snr: signal-to-noise ratio that sets the corrector's step size, in (0, 1).
        first: which of the two acts on the start; see the module.
    """

    KIND = "PredictorCorrector"

    n_steps: int = 1000
    snr: float = 0.16
    first: Literal["corrector", "predictor"] = "corrector"

    def validate(self) -> None:
        """Raises InputError if `n_steps` is below 2 or `snr` is outside (0, 1)."""
        if self.n_steps < 2:
            raise InputError(f"n_steps must be at least 2, but got {self.n_steps}")
        if not 0 < self.snr < 1:
            raise InputError(f"snr must be in (0, 1), but got {self.snr:g}")

    def n_evaluations(self, schedule: Schedule) -> int:
        """Returns 2 n_steps, or one less with the predictor first."""
        return 2 * self.n_steps - (self.first == "predictor")

    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError if the schedule has a single level, so its two ends are equal."""
        self._levels(schedule)

    def updates(self, schedule: Schedule) -> list[Update]:
        """Returns the corrector and predictor updates, in alternation."""
        sigmas = self._levels(schedule).sigmas
        updates: list[Update] = []
        for sigma, following in zip(sigmas, (*sigmas[1:], 0.0), strict=True):
            spread = math.sqrt(sigma**2 - following**2)
            updates += [_Corrector(sigma, self.snr), _Predictor(sigma, spread)]
        return updates[1:] if self.first == "predictor" else updates

    def _levels(self, schedule: Schedule) -> GeometricSchedule:
        return GeometricSchedule(
            sigma_1=schedule.sigma_1, sigma_L=schedule.sigma_L, n_levels=self.n_steps
        )


@dataclass(frozen=True)
class _Corrector(Update):
    snr: float

    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        score, noise = scaled_score / self.sigma, draw()
        size = 2 * (self.snr * _mean_norm(noise) / _mean_norm(score)).square()
        return x + size * score + (2 * size).sqrt() * noise


@dataclass(frozen=True)
class _Predictor(Update):
    noise_std: float
    """Standard deviation G of the added noise; equal to sigma in the last update."""

    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        return self.denoised(x, scaled_score) + self.noise_std * draw()

    def denoised(self, x: Tensor, scaled_score: Tensor) -> Tensor:
        """Returns the mean of the predictor step; in the last update it is H(x, sigma)."""
        return x + self.noise_std**2 / self.sigma * scaled_score


def _mean_norm(batch: Tensor) -> Tensor:
    """Returns the mean Euclidean norm of the examples of a batch, (B, ...), as a scalar."""
    return batch.reshape(len(batch), -1).norm(dim=1).mean()

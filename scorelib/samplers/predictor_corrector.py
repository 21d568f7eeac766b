"""Predictor-corrector sampling of the variance-exploding diffusion (VE-SDE).

Adding noise is a diffusion whose variance grows from sigma_L^2 to sigma_1^2; run backwards it leads
from noise to data. It is taken in N steps through the levels ``sigma_k``, geometric whatever the
trained schedule, whose ends alone are used. At each level a corrector may move x within the density
of that level, and a predictor takes it to the next:

    corrector    x <- x + e score(x, sigma_k) + sqrt(2 e) z,
                 e = 2 (snr |z| / |score|)^2, with batch means of the norms
    predictor    x <- x + G^2 score(x, sigma_k) + G z,        G^2 = sigma_k^2 - sigma_{k+1}^2,

and sigma_{N+1} = 0 after the last. There ``G = sigma_L``: without the last noise the mean is the
expected denoised sample H(x, sigma_L), and it is what the authors return. It is `denoised` of the
last state, whose x has that noise.

As run the corrector comes first, so x ~ N(0, sigma_1^2) is corrected too. With the predictor first,
as the algorithm is printed, each predictor is followed by a corrector at the level it has reached;
after the last there is none. So the two orders are the same but for the first corrector.

The step e depends on the batch that is walked together. Where the data are N(0, s^2) and the batch
is large, with ``w = s^2 + sigma_k^2`` the variance v of x goes as

    corrector    e = 2 snr^2 w^2 / v,    v <- (1 - e / w)^2 v + 2 e
    predictor    v <- (1 - G^2 / w)^2 v + G^2;

the corrector's fixed point is ``(1 + snr^2) w``, stable for snr < 1.

The authors' code evaluates the network at ``sigma_k (sigma_1 / sigma_L)^t`` for a t that grows from
0 to 1e-5 down the levels: for 50 to 0.01, at most 0.009 % above sigma_k.

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
    """Reverse diffusion with one Langevin step per level.

    Attributes:
        n_steps: predictor steps N, >= 2.
        snr: the corrector's ratio of noise, in (0, 1).
        first: what acts on the start.
    """

    KIND = "PredictorCorrector"

    n_steps: int = 1000
    snr: float = 0.16
    first: Literal["corrector", "predictor"] = "corrector"

    def validate(self) -> None:
        """Refuses a diffusion in less than two steps, and correctors that are not stable."""
        if self.n_steps < 2:
            raise InputError(f"n_steps must be at least 2; got {self.n_steps}")
        if not 0 < self.snr < 1:
            raise InputError(f"snr must be in (0, 1); got {self.snr:g}")

    def n_evaluations(self, schedule: Schedule) -> int:
        """Two for each step, one less with the predictor first."""
        return 2 * self.n_steps - (self.first == "predictor")

    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError on a single level, where there is nothing to diffuse."""
        self._levels(schedule)

    def updates(self, schedule: Schedule) -> list[Update]:
        """Correctors and predictors alike."""
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
    """G, the standard deviation of the noise added; sigma in the last."""

    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        return self.denoised(x, scaled_score) + self.noise_std * draw()

    def denoised(self, x: Tensor, scaled_score: Tensor) -> Tensor:
        """The mean: in the last update H(x, sigma)."""
        return x + self.noise_std**2 / self.sigma * scaled_score


def _mean_norm(batch: Tensor) -> Tensor:
    """Mean over a batch, (B, ...), of the Euclidean norms of its examples, a scalar."""
    return batch.reshape(len(batch), -1).norm(dim=1).mean()

"""Langevin diffusion at one noise level.

The sampler repeats the update

    x <- x + epsilon score(x, sigma) + sqrt(2 epsilon) z,        n_steps times.

From any start, the distribution of x converges to the data distribution smoothed by Gaussian noise
of standard deviation sigma, up to a bias. A smaller epsilon gives a smaller bias and a slower
convergence. For data N(m, s^2), let ``w = s^2 + sigma^2``. The iterates are an autoregression: in
each step the distance of the mean from m shrinks by the factor ``a = 1 - epsilon / w``, and the
distance of the variance from ``w / (1 - epsilon / (2 w))`` shrinks by ``a^2``. The diffusion does
not mix between modes that are far apart compared with sigma, so the shares of the modes stay as
they were at the start. Annealing solves this problem.

The implementation is `Als` (annealed Langevin sampling) on a schedule of one level. The caller
chooses this level, so a network that was trained at many levels can be sampled at one of them.

References:
    Song and Ermon (2019), https://arxiv.org/abs/1907.05600, Sections 2.2 and 3.2.
    Chao et al. (2022), https://arxiv.org/abs/2203.14206, Eq. 1; see
    `scorelib.step_size.epsilon_of_langevin_step`.
"""

from dataclasses import dataclass

from scorelib.errors import InputError
from scorelib.samplers.als import Als
from scorelib.samplers.base import Interpolation, Sampler
from scorelib.schedules import GeometricSchedule, Schedule
from scorelib.step_size import als_interval, require_inside


@dataclass(frozen=True, kw_only=True)
class Langevin(Sampler):
    """Langevin diffusion at one noise level within the trained range.

    Attributes:
        sigma: noise level, data units, > 0.
        epsilon: step size, data units squared, in (0, 2 sigma^2), the range that is stable even
            for data at a single point.
        n_steps: number of updates, >= 1.
    """

    KIND = "Langevin"

    sigma: float
    epsilon: float
    n_steps: int

    def validate(self) -> None:
        """Raises InputError if a setting is outside its range."""
        if self.sigma <= 0:
            raise InputError(f"sigma must be positive, but got {self.sigma:g}")
        if self.n_steps < 1:
            raise InputError(f"n_steps must be at least 1, but got {self.n_steps}")
        require_inside(self.epsilon, als_interval(self.sigma), f"langevin at sigma={self.sigma:g}")

    def n_evaluations(self, schedule: Schedule) -> int:
        """Returns `n_steps`."""
        return self.n_steps

    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError if `sigma` is outside the range of trained noise levels."""
        if not schedule.sigma_L <= self.sigma <= schedule.sigma_1:
            raise InputError(
                f"sigma must be in [{schedule.sigma_L:g}, {schedule.sigma_1:g}], the range of the "
                f"trained noise levels, but got {self.sigma:g}"
            )

    def updates(self, schedule: Schedule) -> list[Interpolation]:
        """Returns `n_steps` equal updates."""
        level = GeometricSchedule(sigma_1=self.sigma, sigma_L=self.sigma, n_levels=1)
        return Als(epsilon=self.epsilon, n_sigma=self.n_steps).updates(level)

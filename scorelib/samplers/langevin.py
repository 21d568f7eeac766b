"""Langevin diffusion at one noise level.

    x <- x + epsilon score(x, sigma) + sqrt(2 epsilon) z,        n_steps times,

tends to the density of the data smoothed by sigma, whatever it starts from; the smaller epsilon,
the nearer and the later. With data N(m, s^2) and ``w = s^2 + sigma^2`` the iterates are an
autoregression: their mean nears m by the factor ``a = 1 - epsilon / w`` in each step, their
variance nears ``w / (1 - epsilon / (2 w))`` by ``a^2``. Between modes that sigma does not join it
does not mix, and their shares stay as they were at the start: what annealing is for.

It is annealed Langevin sampling on a schedule of one level, and is made of it. What it adds is the
level: a network that was trained on many may be sampled at one.

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
    """Langevin diffusion at one noise level, among those the network was trained at.

    Attributes:
        sigma: the level, data units.
        epsilon: step size, data units squared, in (0, 2 sigma^2): stable also for a point mass.
        n_steps: updates, >= 1.
    """

    KIND = "Langevin"

    sigma: float
    epsilon: float
    n_steps: int

    def validate(self) -> None:
        """Refuses levels and step counts that mean nothing, and unstable step sizes."""
        if self.sigma <= 0:
            raise InputError(f"sigma must be positive; got {self.sigma:g}")
        if self.n_steps < 1:
            raise InputError(f"n_steps must be at least 1; got {self.n_steps}")
        require_inside(self.epsilon, als_interval(self.sigma), f"langevin at sigma={self.sigma:g}")

    def n_evaluations(self, schedule: Schedule) -> int:
        """One for each of n_steps."""
        return self.n_steps

    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError if the network was not trained at the level."""
        if not schedule.sigma_L <= self.sigma <= schedule.sigma_1:
            raise InputError(
                f"sigma must be in the trained [{schedule.sigma_L:g}, {schedule.sigma_1:g}] for "
                f"langevin; got {self.sigma:g}"
            )

    def updates(self, schedule: Schedule) -> list[Interpolation]:
        """`n_steps` equal ones."""
        level = GeometricSchedule(sigma_1=self.sigma, sigma_L=self.sigma, n_levels=1)
        return Als(epsilon=self.epsilon, n_sigma=self.n_steps).updates(level)

"""Base classes of the samplers, and the sampling loop.

A `Sampler` is a spec. For a noise schedule it returns a sequence of `Update`s; each update has a
noise level and makes one step. `Sampler.walk` is the only sampling loop. It is a generator that
yields the state after each update, so progress bars, early stopping, recorded trajectories and
tests need no callbacks. The loop takes the network as a function from ``(x, sigma)`` to
``sigma * score`` and the noise as a function that returns a new standard normal draw. The caller
decides on devices and batch sizes.

By Proposition 3, a Langevin update interpolates between ``x`` and the expected denoised sample
``H(x, sigma) = x + sigma^2 score``, at a fixed noise level as well as in annealing
(`Interpolation`). An `AnnealedSampler` follows the trained schedule from high to low noise, and
each update moves x by a fraction eta towards H, in an `EpsilonSampler` by the same ``eta = epsilon
/ sigma_L^2`` at all levels. The denoised result is ``H(x, sigma)`` of the state *before* the last
update. It reuses the network evaluation of that update, so it costs no further one.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.schedules import GeometricSchedule, Schedule
from scorelib.spec import Spec
from scorelib.step_size import relative_step, require_inside

ScaledScore = Callable[[Tensor, float], Tensor]
"""Function that maps x, shape (B, ...), and sigma, a number, to sigma * score, shape (B, ...)."""

Draw = Callable[[], Tensor]
"""Function that returns a new standard normal draw, shape (B, ...)."""

Start = Literal["noise", "uniform", "data"]
"""Distribution of the start of sampling.

"noise": N(0, sigma_1^2), the paper's default. "uniform": as in the authors' code, U[0, 1] for
images and U[-3, 3] for points in the plane. "data": data plus noise of level sigma_1.
"""

_PLANE = 3.0


@dataclass(frozen=True)
class SamplerState:
    """State of a batch after one update.

    Attributes:
        x: current iterate, shape (B, ...), data units.
        sigma: noise level of the update, data units.
        step: number of updates made so far, >= 1.
        denoised: denoised result, shape (B, ...): H(x, sigma) of the iterate before the last
            update at the noise level of that update. None except in the last state.
    """

    x: Tensor
    sigma: float
    step: int
    denoised: Tensor | None = None


@dataclass(frozen=True)
class Update(ABC):
    """One update of the sampling loop, with one network evaluation.

    Attributes:
        sigma: noise level at which the network is evaluated, data units.
    """

    sigma: float

    @abstractmethod
    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        """Returns the next iterate.

        Args:
            x: current iterate, shape (B, ...), data units. Not modified.
            scaled_score: sigma * score of x at `sigma`, shape (B, ...).
            draw: function that returns a new standard normal draw of the shape of x.

        Returns:
            The next iterate, shape (B, ...), data units.
        """

    def denoised(self, x: Tensor, scaled_score: Tensor) -> Tensor:
        """Returns H(x, sigma), shape (B, ...), the denoised result if this is the last update.

        Args:
            x: iterate before the update, shape (B, ...), data units.
            scaled_score: sigma * score of x at `sigma`, shape (B, ...).
        """
        return x + self.sigma * scaled_score


@dataclass(frozen=True)
class Interpolation(Update):
    """The update ``x <- (1 - eta) x + eta H(x, sigma) + noise_std z`` of Proposition 3.

    Attributes:
        eta: fraction of the way from x to the expected denoised sample.
        noise_std: standard deviation of the added noise, data units; 0 draws no noise.
    """

    eta: float
    noise_std: float

    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        """Returns the next iterate; see `Update.step`."""
        x = x + self.eta * (self.sigma * scaled_score)
        return x + self.noise_std * draw() if self.noise_std else x


@dataclass(frozen=True, kw_only=True)
class Sampler(Spec):
    """Base of the samplers, which turn a batch of noise into data update by update."""

    KIND = "Sampler"

    def title(self) -> str:
        """Returns the sampler's name and settings, such as "als epsilon=0.02 n_sigma=1"."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        shown = [f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in values.items()]
        return " ".join([self.short_kind().lower(), *shown])

    @property
    def label(self) -> str:
        """The sampler's name in figures, such as "ALS"."""
        return self.short_kind().upper()

    @abstractmethod
    def n_evaluations(self, schedule: Schedule) -> int:
        """Returns the number of network evaluations per image for the trained schedule.

        Every update makes one evaluation.
        """

    @abstractmethod
    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError, with the reason, if the sampler cannot use the trained schedule."""

    @abstractmethod
    def updates(self, schedule: Schedule) -> Sequence[Update]:
        """Returns the updates for an admissible trained schedule, in order."""

    def walk(
        self, scaled_score: ScaledScore, x: Tensor, schedule: Schedule, draw: Draw
    ) -> Iterator[SamplerState]:
        """Samples a batch, from noise to data.

        Args:
            scaled_score: function that maps x, shape (B, ...), and sigma, a number, to
                sigma * score, shape (B, ...).
            x: start (see `start_images`), shape (B, ...), data units. Not modified.
            schedule: noise schedule that the network was trained on.
            draw: function that returns a new standard normal draw of the shape of x.

        Yields:
            The state after each update; the last state includes `denoised`.

        Raises:
            InputError: the schedule is not admissible; see `require_admissible`.
        """
        self.require_admissible(schedule)
        updates = self.updates(schedule)
        for step, update in enumerate(updates, start=1):
            output = scaled_score(x, update.sigma)
            denoised = update.denoised(x, output) if step == len(updates) else None
            x = update.step(x, output, draw)
            yield SamplerState(x=x, sigma=update.sigma, step=step, denoised=denoised)


@dataclass(frozen=True, kw_only=True)
class AnnealedSampler(Sampler):
    """Base of the samplers that follow the trained schedule with one step size.

    `STEP_SIZE` names the field that holds the step size.

    Attributes:
        n_sigma: updates per trained noise level, >= 1.
    """

    KIND = "AnnealedSampler"
    STEP_SIZE: ClassVar[str]

    n_sigma: int = 1

    def validate(self) -> None:
        """Raises InputError if `n_sigma` is below 1."""
        if self.n_sigma < 1:
            raise InputError(f"n_sigma must be at least 1, but got {self.n_sigma}")

    @property
    def step_size(self) -> float:
        """The step size, in the unit of the field that `STEP_SIZE` names."""
        return float(getattr(self, self.STEP_SIZE))

    @classmethod
    def of(cls, step_size: float, n_sigma: int) -> Self:
        """Returns a sampler of this class.

        Args:
            step_size: value of the field that `STEP_SIZE` names, inside `interval`.
            n_sigma: updates per trained noise level, >= 1.
        """
        return cast(Any, cls)(**{cls.STEP_SIZE: step_size, "n_sigma": n_sigma})

    def with_step_size(self, value: float) -> Self:
        """Returns the sampler with another step size."""
        return self.replace(**{self.STEP_SIZE: value})

    @abstractmethod
    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Returns the open interval of admissible step sizes for the trained schedule."""

    @abstractmethod
    def updates(self, schedule: Schedule) -> Sequence[Interpolation]:
        """Returns updates towards the denoised sample; see `Sampler.updates`."""

    @abstractmethod
    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """Returns the step size for another n_sigma on the trained schedule, by the paper's rule.

        Args:
            schedule: noise schedule that the network was trained on.
            n_sigma: updates per trained noise level to extrapolate to, >= 1.
        """

    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError, with the interval, if the step size is outside `interval`."""
        name = self.short_kind().lower()
        require_inside(
            self.step_size,
            self.interval(schedule),
            f"{name} with sigma_L={schedule.sigma_L:g}, n_levels={schedule.n_levels}, "
            f"n_sigma={self.n_sigma}",
            self.STEP_SIZE,
        )

    @abstractmethod
    def relative_step(self, schedule: Schedule) -> float | None:
        """Returns r, the step size relative to the step that follows the schedule without noise.

        None if the trained schedule has no single such step.
        """


@dataclass(frozen=True, kw_only=True)
class EpsilonSampler(AnnealedSampler):
    """Base of the annealed samplers with the paper's step size epsilon: one eta for all updates.

    Attributes:
        epsilon: step size at the smallest level sigma_L, data units squared, inside `interval`.
    """

    KIND = "EpsilonSampler"
    STEP_SIZE: ClassVar[str] = "epsilon"

    epsilon: float

    def validate(self) -> None:
        """Raises InputError if `n_sigma` is below 1 or `epsilon` is not positive."""
        super().validate()
        if self.epsilon <= 0:
            raise InputError(f"epsilon must be positive, but got {self.epsilon:g}")

    def relative_step(self, schedule: Schedule) -> float | None:
        """Returns r of epsilon; None unless the schedule is geometric with several levels."""
        if not isinstance(schedule, GeometricSchedule) or schedule.n_levels == 1:
            return None
        return relative_step(self.epsilon, schedule.sigma_L, schedule.gamma, self.n_sigma)


def start_images(
    start: Start,
    shape: tuple[int, ...],
    sigma_1: float,
    draw: torch.Generator,
    data: Tensor | None,
) -> Tensor:
    """Draws the batch from which a sampler starts.

    Args:
        start: distribution of the start; see `Start`.
        shape: shape of the batch, (B, ...).
        sigma_1: largest noise level, data units.
        draw: random generator on the CPU, so that the start is the same for all devices.
        data: clean examples to perturb, shape (N, ...); used only by the start "data".

    Returns:
        The start, shape (B, ...), float32, on the CPU.

    Raises:
        InputError: the start is "data" and `data` is None.
    """
    if start == "uniform":
        drawn = torch.rand(shape, generator=draw)
        return drawn if len(shape) == 4 else _PLANE * (2 * drawn - 1)
    noise = sigma_1 * torch.randn(shape, generator=draw)
    if start == "noise":
        return noise
    if data is None:
        raise InputError("the start 'data' needs images to perturb, but got none")
    return data[torch.randint(len(data), shape[:1], generator=draw)] + noise

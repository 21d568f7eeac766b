"""What every sampler is: a spec that walks a batch from noise to data, update by update.

A sampler says which updates a schedule asks for; each `Update` knows its noise level and how to
make one step. The loop is here, once (`Sampler.walk`). It is a generator and yields after each
update, so progress, early stopping, recorded trajectories and tests need no callbacks. It sees the
network only as a function from ``(x, sigma)`` to ``sigma * score`` and the noise only as a function
that returns a fresh standard normal draw; where they run and how they are batched is the caller's
business.

By Proposition 3 a Langevin update, annealed or not, interpolates between ``x`` and the expected
denoised sample ``H(x, sigma) = x + sigma^2 score`` (`Interpolation`). Samplers that anneal
(`AnnealedSampler`) go down the trained schedule, each update by the same share
``eta = epsilon / sigma_L^2`` of the way. The denoised result is ``H(x, sigma)`` of the state
*before* the last update: the network call is the last update's own, so it costs nothing more.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.schedules import Schedule, as_geometric
from scorelib.spec import Spec
from scorelib.step_size import relative_step, require_inside

ScaledScore = Callable[[Tensor, float], Tensor]
"""Maps (x, sigma), shapes (B, ...) and (), to sigma * score, shape (B, ...)."""

Draw = Callable[[], Tensor]
"""Returns a fresh standard normal draw, shape (B, ...)."""

Start = Literal["noise", "uniform", "data"]
"""What sampling starts from.

"noise": N(0, sigma_1^2), the paper's default; "uniform": as the authors' code, U[0, 1] for images,
U[-3, 3] for points in the plane; "data": data plus sigma_1 noise.
"""

_PLANE = 3.0


@dataclass(frozen=True)
class SamplerState:
    """The batch after one update.

    Attributes:
        x: current iterate, shape (B, ...), data units.
        sigma: noise level at which the update was made.
        step: updates made so far, from 1.
        denoised: H(x, sigma) of the iterate before the last update, sigma being that update's,
            shape (B, ...); only in the last state.
    """

    x: Tensor
    sigma: float
    step: int
    denoised: Tensor | None = None


@dataclass(frozen=True)
class Update(ABC):
    """One update of a walk, for which the network is asked once.

    Attributes:
        sigma: noise level at which the network is asked, data units.
    """

    sigma: float

    @abstractmethod
    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        """The next iterate.

        Args:
            x: the iterate, shape (B, ...), data units. Not written to.
            scaled_score: sigma * score of x at `sigma`, shape (B, ...).
            draw: returns a fresh standard normal draw of x's shape.

        Returns:
            Shape (B, ...).
        """

    def denoised(self, x: Tensor, scaled_score: Tensor) -> Tensor:
        """The denoised result of a walk that this update ends: H(x, sigma), shape (B, ...).

        Args:
            x: the iterate before the update, shape (B, ...).
            scaled_score: as in `step`.
        """
        return x + self.sigma * scaled_score


@dataclass(frozen=True)
class Interpolation(Update):
    """The update ``x <- (1 - eta) x + eta H(x, sigma) + noise_std z``, as of Proposition 3.

    Attributes:
        eta: share of the way to the expected denoised sample.
        noise_std: standard deviation of the noise added, data units; at 0 none is drawn.
    """

    eta: float
    noise_std: float

    def step(self, x: Tensor, scaled_score: Tensor, draw: Draw) -> Tensor:
        """See `Update.step`."""
        x = x + self.eta * (self.sigma * scaled_score)
        return x + self.noise_std * draw() if self.noise_std else x


@dataclass(frozen=True, kw_only=True)
class Sampler(Spec):
    """Base of the samplers: what walks a batch from noise to data."""

    KIND = "Sampler"

    def title(self) -> str:
        """Name and settings: "als epsilon=0.02 n_sigma=1"."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        shown = [f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in values.items()]
        return " ".join([self.short_kind().lower(), *shown])

    @abstractmethod
    def n_evaluations(self, schedule: Schedule) -> int:
        """Network evaluations per image on this (trained) schedule; one for each update."""

    @abstractmethod
    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError, with the reason, if it cannot walk on this (trained) schedule."""

    @abstractmethod
    def updates(self, schedule: Schedule) -> Sequence[Update]:
        """The updates of a walk on a (trained) schedule that the sampler admits, in order."""

    def walk(
        self, scaled_score: ScaledScore, x: Tensor, schedule: Schedule, draw: Draw
    ) -> Iterator[SamplerState]:
        """Walks a batch from noise to data.

        Args:
            scaled_score: maps (x, sigma) to sigma * score; (B, ...), () -> (B, ...).
            x: start (see `start_images`), shape (B, ...), data units. Not written to.
            schedule: the schedule the network was trained on.
            draw: returns a fresh standard normal draw of x's shape.

        Yields:
            The state after each update, the last one with `denoised`.

        Raises:
            InputError: as `require_admissible`.
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
    """Base of those that go down the trained schedule itself, with one step size.

    Attributes:
        epsilon: step size at sigma_L, data units squared, inside `interval`.
        n_sigma: steps per trained noise level, >= 1.
    """

    KIND = "AnnealedSampler"

    epsilon: float
    n_sigma: int = 1

    def validate(self) -> None:
        """Refuses step counts and sizes that no schedule could admit."""
        if self.n_sigma < 1:
            raise InputError(f"n_sigma must be at least 1; got {self.n_sigma}")
        if self.epsilon <= 0:
            raise InputError(f"epsilon must be positive; got {self.epsilon:g}")

    @abstractmethod
    def interval(self, schedule: Schedule) -> tuple[float, float]:
        """Open interval of the step sizes theory admits on this (trained) schedule."""

    @abstractmethod
    def updates(self, schedule: Schedule) -> Sequence[Interpolation]:
        """See `Sampler.updates`; all go the same share of the way."""

    @abstractmethod
    def extrapolated(self, schedule: Schedule, n_sigma: int) -> float:
        """The paper's carry-over of epsilon to another n_sigma on this (trained) schedule."""

    def require_admissible(self, schedule: Schedule) -> None:
        """Raises InputError, with the interval, if theory does not admit epsilon here."""
        name = self.short_kind().lower()
        require_inside(
            self.epsilon,
            self.interval(schedule),
            f"{name} with sigma_L={schedule.sigma_L:g}, n_levels={schedule.n_levels}, "
            f"n_sigma={self.n_sigma}",
        )

    def r(self, schedule: Schedule) -> float:
        """Epsilon in units of the step that just follows the trained schedule.

        Raises:
            InputError: a schedule that no single step follows: not geometric, or of one level.
        """
        gamma = as_geometric(schedule, "r").gamma
        return relative_step(self.epsilon, schedule.sigma_L, gamma, self.n_sigma)


def start_images(
    start: Start,
    shape: tuple[int, ...],
    sigma_1: float,
    draw: torch.Generator,
    data: Tensor | None,
) -> Tensor:
    """The batch a sampler starts from.

    Args:
        start: which start.
        shape: (B, ...).
        sigma_1: largest noise level.
        draw: source of randomness, on the CPU so that all devices start alike.
        data: clean images to perturb, shape (N, ...), needed for (only) the start "data".

    Returns:
        Shape (B, ...), float32, on the CPU.
    """
    if start == "uniform":
        drawn = torch.rand(shape, generator=draw)
        return drawn if len(shape) == 4 else _PLANE * (2 * drawn - 1)
    noise = sigma_1 * torch.randn(shape, generator=draw)
    if start == "noise":
        return noise
    if data is None:
        raise InputError("the start 'data' needs images to perturb; got none")
    return data[torch.randint(len(data), shape[:1], generator=draw)] + noise

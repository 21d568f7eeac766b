"""Base classes of the noise schedules, and schedules that are a list of levels."""

import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

from scorelib.errors import InputError
from scorelib.schedules.coverage import coverage
from scorelib.spec import Spec, fields_of


# Not a dataclass: the annotations are the interface, and subclasses choose which are fields.
class Schedule(Spec, ABC):
    """Base of all noise schedules: strictly decreasing levels, or a single level.

    Attributes:
        name: name of the schedule's family.
        sigmas: the n_levels noise levels, data units, strictly decreasing from sigma_1 to sigma_L.
        sigma_1: largest noise level, data units, > sigma_L (equal to it for one level).
        sigma_L: smallest noise level, data units, > 0.
        n_levels: number of levels, >= 1.
    """

    KIND = "Schedule"
    name: ClassVar[str]

    sigmas: tuple[float, ...]
    sigma_1: float
    sigma_L: float
    n_levels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_decreasing()

    def require_decreasing(self) -> None:
        """Raises InputError unless each level is below the level before it.

        A family may add fields: even if each field is valid, the levels may not decrease.
        """
        for before, sigma in itertools.pairwise(self.sigmas):
            if not sigma < before:
                raise InputError(
                    f"levels must strictly decrease; got {sigma:g} after {before:g} in {self}"
                )

    @property
    @abstractmethod
    def title(self) -> str:
        """Readable name of the schedule, different for schedules with different levels."""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ratios gamma_i = sigma_{i+1} / sigma_i of neighbouring levels, n_levels - 1 in (0, 1)."""
        return tuple(following / sigma for sigma, following in itertools.pairwise(self.sigmas))

    @property
    def gamma_min(self) -> float:
        """Smallest ratio of neighbouring levels, in (0, 1).

        Raises:
            InputError: the schedule has a single level.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 to define a ratio of levels; got 1")
        return min(self.ratios)

    def dilated(self, n_sigma: int) -> "Schedule":
        """Returns a schedule with `n_sigma` steps for each step of this schedule.

        Every level of this schedule is a level of the dilated one. Here geometric progressions join
        neighbouring levels.

        Args:
            n_sigma: number of steps that replace each step, >= 1.

        Raises:
            InputError: n_sigma below 1.
        """
        _require_steps(n_sigma)
        if n_sigma == 1:
            return self
        pairs = itertools.pairwise(self.sigmas)
        joined = [
            sigma * (following / sigma) ** (j / n_sigma)
            for sigma, following in pairs
            for j in range(n_sigma)
        ]
        return ExplicitSchedule(sigmas=(*joined, self.sigma_L))

    def coverages(self, n_dimensions: int) -> tuple[float, ...]:
        """Returns the `coverage` of each level, from the second on, by the level before it.

        Args:
            n_dimensions: dimension D of the data.

        Returns:
            n_levels - 1 values in (0, 1).
        """
        pairs = itertools.pairwise(self.sigmas)
        return tuple(coverage(sigma / before, n_dimensions) for before, sigma in pairs)


@dataclass(frozen=True, kw_only=True)
class SpacedSchedule(Schedule, ABC):
    """Base of the families: a formula for the levels between two ends.

    Attributes:
        sigma_1: largest noise level, data units, > sigma_L (equal to it for one level).
        sigma_L: smallest noise level, data units, > 0.
        n_levels: number of levels, >= 1.
    """

    KIND = "SpacedSchedule"

    sigma_1: float
    sigma_L: float
    n_levels: int

    def validate(self) -> None:
        """Raises InputError unless the schedule strictly decreases to a positive level."""
        if self.n_levels == 1 and 0 < self.sigma_L == self.sigma_1:
            return
        if not 0 < self.sigma_L < self.sigma_1:
            raise InputError(
                "sigmas must strictly decrease to a positive level, 0 < sigma_L < sigma_1; "
                f"got sigma_1={self.sigma_1:g}, sigma_L={self.sigma_L:g}"
            )
        if self.n_levels < 2:
            raise InputError(
                f"n_levels must be at least 2 (1 if sigma_1 = sigma_L); got {self.n_levels}"
            )

    @property
    def title(self) -> str:
        """Readable name of the family and its own fields: "squared cosine", "NAME, rho = 3.0"."""
        common = fields_of(self, SpacedSchedule)
        own = [(field, value) for field, value in fields_of(self).items() if field not in common]
        name = self.name.replace("_", " ")
        return ", ".join((name, *(f"{field} = {value}" for field, value in own)))

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The n_levels noise levels, strictly decreasing, from exactly sigma_1 to sigma_L."""
        return _levels(self)

    def dilated(self, n_sigma: int) -> Self:
        """Returns the schedule of the same family and ends with more levels; `Schedule.dilated`."""
        _require_steps(n_sigma)
        return self.replace(n_levels=(self.n_levels - 1) * n_sigma + 1)

    @abstractmethod
    def _inner(self, k: int) -> float:
        """Returns level k, counted from 0, between the two ends: 0 < k < n_levels - 1."""


@dataclass(frozen=True, kw_only=True)
class ExplicitSchedule(Schedule):
    """A list of levels, which need not follow a formula.

    Attributes:
        sigmas: noise levels, data units, > 0, at least one, strictly decreasing.
    """

    KIND = "ExplicitSchedule"
    name: ClassVar[str] = "explicit"
    MOST_SHOWN: ClassVar[int] = 6

    sigmas: tuple[float, ...]

    def validate(self) -> None:
        """Raises InputError unless there are levels, all positive."""
        if not self.sigmas or min(self.sigmas) <= 0:
            raise InputError(
                f"sigmas must hold at least one level, all above 0; got {list(self.sigmas)}"
            )

    @property
    def sigma_1(self) -> float:  # type: ignore[override]
        """Largest noise level, data units: the first of `sigmas`."""
        return self.sigmas[0]

    @property
    def sigma_L(self) -> float:  # type: ignore[override]
        """Smallest noise level, data units: the last of `sigmas`."""
        return self.sigmas[-1]

    @property
    def n_levels(self) -> int:  # type: ignore[override]
        """Number of levels."""
        return len(self.sigmas)

    @property
    def title(self) -> str:
        """The levels, such as "explicit (3, 1, 0.1)"; a long list is shortened and has a digest."""
        shown, more = [f"{sigma:g}" for sigma in self.sigmas], ""
        if self.n_levels > self.MOST_SHOWN:
            shown, more = [*shown[:3], "...", shown[-1]], f", list {self.key[:6]}"
        return f"{self.name} ({', '.join(shown)}{more})"


@lru_cache(maxsize=8)
def _levels(schedule: SpacedSchedule) -> tuple[float, ...]:
    """Returns the levels of a schedule: a study asks each of its schedules dozens of times."""
    if schedule.n_levels == 1:
        return (schedule.sigma_L,)
    inner = map(schedule._inner, range(1, schedule.n_levels - 1))
    return (schedule.sigma_1, *inner, schedule.sigma_L)


def _require_steps(n_sigma: int) -> None:
    if n_sigma < 1:
        raise InputError(f"n_sigma must be at least 1; got {n_sigma}")

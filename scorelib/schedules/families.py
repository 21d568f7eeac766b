"""Families of noise schedules: formulas for the levels between two ends.

`scorelib.schedules` states the formulas and their sources.
"""

import math
import sys
from dataclasses import dataclass
from typing import ClassVar

from scorelib.errors import InputError
from scorelib.schedules.base import Schedule, SpacedSchedule


@dataclass(frozen=True, kw_only=True)
class GeometricSchedule(SpacedSchedule):
    """A geometric progression: the ratio of neighbouring levels is constant."""

    KIND = "GeometricSchedule"
    name: ClassVar[str] = "geometric"

    @property
    def gamma(self) -> float:
        """Ratio of neighbouring levels, ``sigma_{i+1} / sigma_i``, in (0, 1).

        Raises:
            InputError: the schedule has a single level.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 to define a ratio of levels; got 1")
        return float((self.sigma_L / self.sigma_1) ** (1 / (self.n_levels - 1)))

    @property
    def gamma_min(self) -> float:
        """The ratio of all neighbouring levels; see `gamma`."""
        return self.gamma

    def require_decreasing(self) -> None:
        """Raises InputError unless the levels decrease: looks at them only where they may not.

        The relative error of a level is below n_levels times the precision of a float. Levels that
        differ by more decrease, unless they are so small that floats lose their precision. Studies
        create thousands of schedules of up to 100,000 levels.
        """
        precise = min(self.sigma_L, self.sigma_L / self.sigma_1) > sys.float_info.min * 1e10
        error = self.n_levels * sys.float_info.epsilon
        if self.n_levels > 1 and not (precise and 1 - self.gamma > 4 * error):
            super().require_decreasing()

    def _inner(self, k: int) -> float:
        return self.sigma_1 * self.gamma**k


@dataclass(frozen=True, kw_only=True)
class LinearSchedule(SpacedSchedule):
    """An arithmetic progression: the difference of neighbouring levels is constant."""

    KIND = "LinearSchedule"
    name: ClassVar[str] = "linear"

    def _inner(self, k: int) -> float:
        return self.sigma_1 - (self.sigma_1 - self.sigma_L) * k / (self.n_levels - 1)


@dataclass(frozen=True, kw_only=True)
class CosineSchedule(SpacedSchedule):
    """A quarter period of a cosine, cut off at sigma_L."""

    KIND = "CosineSchedule"
    name: ClassVar[str] = "cosine"
    POWER: ClassVar[int] = 1

    @property
    def alpha(self) -> float:
        """Ratio of the length of the whole quarter period to the length of the part used, > 1.

        Raises:
            InputError: the schedule has a single level.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 to define alpha; got 1")
        return math.pi / 2 / math.acos((self.sigma_L / self.sigma_1) ** (1 / self.POWER))

    def _inner(self, k: int) -> float:
        angle = math.pi / 2 * k / (self.alpha * (self.n_levels - 1))
        return float(self.sigma_1 * math.cos(angle) ** self.POWER)


@dataclass(frozen=True, kw_only=True)
class SquaredCosineSchedule(CosineSchedule):
    """A quarter period of a squared cosine, cut off at sigma_L."""

    KIND = "SquaredCosineSchedule"
    name: ClassVar[str] = "squared_cosine"
    POWER: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class SigmoidSchedule(SpacedSchedule):
    """A decreasing logistic function on [-2.5, 6.5], scaled to the levels.

    The levels decrease fastest at u = 0.28.
    """

    KIND = "SigmoidSchedule"
    name: ClassVar[str] = "sigmoid"
    FIRST: ClassVar[float] = -2.5
    LENGTH: ClassVar[float] = 9.0

    def _inner(self, k: int) -> float:
        first, here, last = (
            1 / (1 + math.exp(self.FIRST + self.LENGTH * u))
            for u in (0, k / (self.n_levels - 1), 1)
        )
        return self.sigma_L + (self.sigma_1 - self.sigma_L) * (here - last) / (first - last)


SCHEDULES: dict[str, type[SpacedSchedule]] = {
    family.name: family
    for family in (
        GeometricSchedule, LinearSchedule, CosineSchedule, SquaredCosineSchedule, SigmoidSchedule,
    )
}  # fmt: skip
"""The families of schedules with a formula, by name."""


def as_geometric(schedule: Schedule, what: str) -> GeometricSchedule:
    """Returns the schedule unchanged if it is geometric.

    Args:
        schedule: schedule of any family.
        what: name of the computation that needs a constant ratio of levels, for the error message.

    Raises:
        InputError: the schedule belongs to another family.
    """
    if isinstance(schedule, GeometricSchedule):
        return schedule
    raise InputError(
        f"{what} needs a geometric schedule (one ratio gamma of all neighbouring levels); "
        f"got one of the family {schedule.name!r}"
    )

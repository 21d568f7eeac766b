"""Parameters of search spaces: a name, a field of the searched job, and its possible values."""

import math
from dataclasses import dataclass

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from scorelib.errors import require_input
from scorelib.spec import Spec
from scorelib.step_size import round_significant
from tuning.store.ledger import Value

EPSILON = "epsilon"
"""Name of the step-size parameter in the values of a trial."""


@dataclass(frozen=True, kw_only=True)
class OneOf(Spec):
    """Categorical parameter.

    Attributes:
        name: name of the parameter.
        path: dotted path of the field of the score spec that it sets, such as ``sample.ema``.
        values: possible values of the field, all different.
        labels: label of each value, required if values are specs; empty to use the values
            themselves.
    """

    KIND = "OneOf"

    name: str
    path: str
    values: tuple[bool | int | float | str | Spec, ...]
    labels: tuple[str, ...] = ()

    def validate(self) -> None:
        """Raises InputError unless there are values and their labels are all different."""
        shown = self.shown
        require_input(len(self.values) > 0, f"{self.name} must have different values, but is empty")
        is_good = len(set(shown)) == len(self.values)
        require_input(is_good, f"{self.name} must have different values, but got {shown}")

    @property
    def shown(self) -> tuple[Value, ...]:
        """Recorded form of the values: their labels, or the values themselves."""
        return self.labels or tuple(v for v in self.values if not isinstance(v, Spec))

    def field_value(self, shown: Value) -> object:
        """Returns the value of the field for a recorded value."""
        return self.values[self.shown.index(shown)]

    @property
    def distribution(self) -> BaseDistribution:
        """Optuna distribution of the recorded values."""
        return CategoricalDistribution(self.shown)

    def draw(self, rng: np.random.Generator) -> Value:
        """Returns a random recorded value, uniformly distributed."""
        return self.shown[int(rng.integers(len(self.shown)))]


@dataclass(frozen=True, kw_only=True)
class LogUniform(Spec):
    """Positive number on a logarithmic scale.

    Attributes:
        name: name of the parameter.
        path: dotted path of the field of the score spec that it sets.
        low: lowest value, > 0.
        high: highest value, > low.
        digits: significant digits that values are rounded to, >= 1, so that nearly equal values
            become one.
    """

    KIND = "LogUniform"

    name: str
    path: str
    low: float
    high: float
    digits: int = 2

    def validate(self) -> None:
        """Raises InputError unless 0 < low < high."""
        require_input(
            0 < self.low < self.high,
            f"{self.name}: 0 < low < high must hold, but got low={self.low:g}, high={self.high:g}",
        )

    def field_value(self, shown: Value) -> float:
        """Returns the number rounded to `digits` and clipped to [low, high]."""
        rounded = round_significant(float(shown), self.digits)
        return min(max(rounded, self.low), self.high)

    @property
    def distribution(self) -> BaseDistribution:
        """Optuna distribution of the number."""
        return FloatDistribution(self.low, self.high, log=True)

    def draw(self, rng: np.random.Generator) -> Value:
        """Returns a random number in [low, high], uniformly distributed in its logarithm."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


MOST_POINTS = 10_000
"""Largest number of points of a grid."""

_STEPS = 1000
"""Least number of steps that a linear range is rounded to."""


@dataclass(frozen=True, kw_only=True)
class Range(Spec):
    """A number in a range, on a linear or a logarithmic scale.

    Numbers are rounded, so that nearly equal values become one: to three significant digits on a
    logarithmic scale, to at least a thousand steps on a linear scale.

    Attributes:
        name: name of the parameter.
        path: dotted path of the field that it sets.
        low: lowest value; > 0 on a logarithmic scale.
        high: highest value, > low.
        log: whether the scale is logarithmic.
        whole: whether values are whole numbers.
        points: number of evenly spaced points of a grid, from 2 to 10,000; None for every whole
            number.
    """

    KIND = "Range"

    name: str
    path: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    points: int | None = None

    def validate(self) -> None:
        """Raises InputError unless low < high, and low > 0 on a logarithmic scale."""
        given = f"but got low={self.low:g}, high={self.high:g}"
        require_input(self.low < self.high, f"{self.name}: low < high must hold, {given}")
        require_input(
            self.low > 0 or not self.log,
            f"{self.name}: low > 0 must hold on a logarithmic scale, {given}",
        )
        require_input(
            not self.whole or (self.low.is_integer() and self.high.is_integer()),
            f"{self.name}: the ends of a range of whole numbers must be whole, {given}",
        )
        require_input(
            self.points is None or 2 <= self.points <= MOST_POINTS,
            f"{self.name}: a range must have 2 to {MOST_POINTS:,} points, but got {self.points}",
        )

    def field_value(self, shown: Value) -> int | float:
        """Returns the number rounded and clipped to [low, high]."""
        number = float(shown)
        if self.whole:
            return int(min(max(round(number), self.low), self.high))
        if self.log:
            rounded = round_significant(number, 3)
        else:
            rounded = round(number, math.ceil(math.log10(_STEPS / (self.high - self.low))))
        return min(max(rounded, self.low), self.high)

    @property
    def distribution(self) -> BaseDistribution:
        """Optuna distribution of the number."""
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def draw(self, rng: np.random.Generator) -> Value:
        """Returns a random number of the range, uniformly distributed on its scale."""
        return self.at(float(rng.uniform()))

    def at(self, place: float) -> Value:
        """Returns the number at a place between 0 (low) and 1 (high) of the scale, rounded."""
        if self.log:
            return self.field_value(self.low * (self.high / self.low) ** place)
        return self.field_value(self.low + (self.high - self.low) * place)

    def place(self, number: Value) -> float:
        """Returns the place of a number on the scale, between 0 (low) and 1 (high)."""
        if self.log:
            return math.log(float(number) / self.low) / math.log(self.high / self.low)
        return (float(number) - self.low) / (self.high - self.low)

    @property
    def grid(self) -> tuple[Value, ...]:
        """The points of a grid, ascending.

        Raises:
            InputError: `points` is missing, and the numbers are not whole or too many.
        """
        if self.points is not None:
            places = (i / (self.points - 1) for i in range(self.points))
            return tuple(dict.fromkeys(self.at(place) for place in places))
        require_input(
            self.whole,
            f"{self.name}: a grid needs a number of points of the range, such as "
            f"'{self.low:g}..{self.high:g} 5 points', or a list of values",
        )
        n = int(self.high) - int(self.low) + 1
        require_input(
            n <= MOST_POINTS,
            f"{self.name}: a grid must have at most {MOST_POINTS:,} points, but got {n:,} whole "
            f"numbers: give a number of points, such as '{self.low:g}..{self.high:g} 5 points'",
        )
        return tuple(range(int(self.low), int(self.high) + 1))

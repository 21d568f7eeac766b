"""Parameters of search spaces: a name, a field of the score spec, and its possible values."""

from dataclasses import dataclass

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

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
        is_good = len(set(shown)) == len(self.values) > 0
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

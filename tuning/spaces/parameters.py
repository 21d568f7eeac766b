"""Parameters: a name, a field of what is scored, and the values it may have."""

from dataclasses import dataclass

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from scorelib.errors import require_input
from scorelib.spec import Spec
from scorelib.step_size import round_significant
from tuning.store.ledger import Value

EPSILON = "epsilon"
"""Name of the step size among a trial's values."""


@dataclass(frozen=True, kw_only=True)
class OneOf(Spec):
    """A parameter with a few values.

    Attributes:
        name: what it is called.
        path: the field of the score it sets, such as ``sample.ema``.
        values: what the field may be, each once.
        labels: words for the values, where these are specs; empty to show the values themselves.
    """

    KIND = "OneOf"

    name: str
    path: str
    values: tuple[bool | int | float | str | Spec, ...]
    labels: tuple[str, ...] = ()

    def validate(self) -> None:
        """Refuses empty or doubled choices, and specs without words."""
        shown = self.shown
        is_good = len(set(shown)) == len(self.values) > 0
        require_input(is_good, f"{self.name} must have different values; got {shown}")

    @property
    def shown(self) -> tuple[Value, ...]:
        """The values as they are recorded."""
        return self.labels or tuple(v for v in self.values if not isinstance(v, Spec))

    def field_value(self, shown: Value) -> object:
        """What the field is set to."""
        return self.values[self.shown.index(shown)]

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna has it."""
        return CategoricalDistribution(self.shown)

    def draw(self, rng: np.random.Generator) -> Value:
        """A value at random."""
        return self.shown[int(rng.integers(len(self.shown)))]


@dataclass(frozen=True, kw_only=True)
class LogUniform(Spec):
    """A positive number whose logarithm matters.

    Attributes:
        name: what it is called.
        path: the field of the score it sets.
        low: lowest value, > 0.
        high: highest value.
        digits: significant digits that values are rounded to, >= 1, so that equal ones meet.
    """

    KIND = "LogUniform"

    name: str
    path: str
    low: float
    high: float
    digits: int = 2

    def validate(self) -> None:
        """Refuses ranges without a logarithm."""
        require_input(
            0 < self.low < self.high,
            f"{self.name}: 0 < low < high must hold; got low={self.low:g}, high={self.high:g}",
        )

    def field_value(self, shown: Value) -> float:
        """The number itself, rounded, and inside the range all the same."""
        rounded = round_significant(float(shown), self.digits)
        return min(max(rounded, self.low), self.high)

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna has it."""
        return FloatDistribution(self.low, self.high, log=True)

    def draw(self, rng: np.random.Generator) -> Value:
        """A number at random."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

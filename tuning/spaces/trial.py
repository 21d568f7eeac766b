"""Trials of searches: what was tried, what measures it, what came of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuning.jobs import Job
from tuning.spaces.parameters import EPSILON
from tuning.stages import Score
from tuning.store.ledger import Values


@dataclass(frozen=True)
class Result:
    """What a finished job says.

    Attributes:
        numbers: by quantity; of a score "raw" and "denoised".
        failed: the cause if there are none.
    """

    numbers: Mapping[str, float]
    failed: str | None = None

    def of(self, quantity: str) -> float | None:
        """The named number, or None if there is none."""
        return self.numbers.get(quantity)


Lookup = Callable[[Job], Result | None]


@dataclass(frozen=True)
class Trial:
    """Values tried in a search.

    Attributes:
        number: order of proposal, from 0.
        values: by parameter.
        scores: what measures them: first the space's own, then those of the other numbers.
        result: what came of the first score, or the failure of any; None while one is open.
        numbers: all numbers searched by, in the order of `scores`; empty if open or failed.
    """

    number: int
    values: Values
    scores: tuple[Score, ...] = ()
    result: Result | None = None
    numbers: tuple[float, ...] = ()

    @property
    def score(self) -> Score:
        """The space's own score."""
        return self.scores[0]

    @property
    def value(self) -> float | None:
        """The first number; None if the trial is open or failed."""
        return self.numbers[0] if self.numbers else None

    @property
    def has_numbers(self) -> bool:
        """Whether there are numbers, all of them finite."""
        return bool(self.numbers) and all(map(math.isfinite, self.numbers))

    @property
    def epsilon(self) -> float | None:
        """Step size; None if the sampler has none that anneals."""
        return self.score.sample.epsilon

    @property
    def r(self) -> float | None:
        """The same in units of the schedule-following step.

        None if the search is over no step size, or if no step follows the schedule.
        """
        return self.score.sample.r if EPSILON in self.values else None


def as_optuna_trial(
    trial: Trial,
    distributions: Mapping[str, BaseDistribution],
    attributes: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    """A finished trial as Optuna has it; without finite numbers, as a failed one.

    Args:
        trial: the trial.
        distributions: each parameter's range.
        attributes: user attributes, JSON.
    """
    return create_trial(
        state=TrialState.COMPLETE if trial.has_numbers else TrialState.FAIL,
        values=list(trial.numbers) if trial.has_numbers else None,
        params=dict(trial.values),
        distributions=dict(distributions),
        user_attrs=dict(attributes or {}),
    )

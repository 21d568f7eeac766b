"""Trials of searches: what was tried, what measures it, what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tuning.jobs import Job
from tuning.spaces import EPSILON
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
        score: what measures them.
        result: what came of it, or None while it is open.
        further: what else measures them, where several numbers are searched by.
        numbers: what those gave, in the same order; empty while any is open, or if one failed.
    """

    number: int
    values: Values
    score: Score
    result: Result | None
    further: tuple[Score, ...] = ()
    numbers: tuple[float, ...] = ()

    @property
    def scores(self) -> tuple[Score, ...]:
        """All that measures them."""
        return (self.score, *self.further)

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

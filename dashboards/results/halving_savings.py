"""Savings of successive halving, compared with measuring every trial on the last rung."""

from dataclasses import dataclass

from tuning.scheduling.forecast import total_work
from tuning.search.search import SearchRun


@dataclass(frozen=True)
class HalvingSavings:
    """The cost of a search, and the cost of measuring every trial on the last rung.

    Attributes:
        evaluations: network evaluations of all rungs, including training; each job counts once.
        in_full: network evaluations if every trial were measured on the last rung.
    """

    evaluations: int
    in_full: int

    @property
    def saved(self) -> float:
        """Saved share of `in_full`, at most 1."""
        return 1 - self.evaluations / self.in_full


def halving_savings(run: SearchRun) -> HalvingSavings | None:
    """Returns the savings of a finished search; None without a ladder or before the end."""
    if not run.search.ladder or not run.is_complete:
        return None
    made = [trial.score for rung in run.rungs() for trial in rung]
    last = run.search.ladder[-1]
    full = [run.space.score(trial.values, last) for trial in run.trials]
    return HalvingSavings(total_work(made).evaluations, total_work(full).evaluations)

"""What successive halving saved: the rungs of a search beside all its trials on the last rung."""

from dataclasses import dataclass

from tuning.scheduling.forecast import total_work
from tuning.search.search import SearchRun


@dataclass(frozen=True)
class HalvingSavings:
    """What a search cost, beside what measuring every trial on the last rung would have.

    Attributes:
        evaluations: network evaluations of all rungs, those of training included, each job once.
        in_full: the same with all trials on the last rung.
    """

    evaluations: int
    in_full: int

    @property
    def saved(self) -> float:
        """Share saved, at most 1."""
        return 1 - self.evaluations / self.in_full


def halving_savings(run: SearchRun) -> HalvingSavings | None:
    """What the ladder saved of a finished search; None without a ladder or before the end."""
    if not run.search.ladder or not run.is_complete:
        return None
    made = [trial.score for rung in run.rungs() for trial in rung]
    last = run.search.ladder[-1]
    full = [run.space.score(trial.values, last) for trial in run.trials]
    return HalvingSavings(total_work(made).evaluations, total_work(full).evaluations)

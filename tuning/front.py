"""The front of a search by several numbers: what can be had of one without giving up another.

A trial is beaten by another that is nowhere worse and somewhere better. The front are the trials
that none beats: whoever cares for one number more than for another chooses among these.
"""

from collections.abc import Sequence

from tuning.search import SearchRun
from tuning.trial import Trial


def front(run: SearchRun) -> list[Trial]:
    """The finished trials that no other beats, best first by the first number.

    Args:
        run: the search; by a single number, its front are the trials that share the best.
    """
    ranked = run.ranked(run.trials)
    signs = [1 if lower else -1 for lower in run.search.space.lower_is_better]
    costs = [[s * v for s, v in zip(signs, numbers(run, t), strict=True)] for t in ranked]
    return [
        trial
        for trial, own in zip(ranked, costs, strict=True)
        if not any(_beats(other, own) for other in costs)
    ]


def numbers(run: SearchRun, trial: Trial) -> tuple[float, ...]:
    """All numbers of a trial that has not failed, in the order of the space's."""
    value = trial.result.of(run.search.space.objective) if trial.result else None
    assert value is not None
    return (value, *trial.numbers)


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

"""The Pareto front of a multi-objective search: the trials that no other trial dominates.

A trial dominates another trial if it is no worse in every objective and better in at least one.
The trials of the front are the best trade-offs between the objectives.
"""

import math
from collections.abc import Sequence

from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial


def pareto_front(run: SearchRun) -> list[Trial]:
    """Returns the finished trials that no other trial dominates.

    Args:
        run: the search. With a single objective, the front consists of the trials that share the
            best value.

    Returns:
        The trials sorted by their first objective, best first.
    """
    ranked = run.ranked(run.trials)
    signs = [1 if lower else -1 for lower in run.search.space.lower_is_better]
    costs = [[s * v for s, v in zip(signs, t.numbers, strict=True)] for t in ranked]
    return [
        trial
        for trial, own in zip(ranked, costs, strict=True)
        if not any(dominates(other, own) for other in costs)
    ]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Returns whether one trial dominates another, where lower values are better.

    Args:
        one: objective values of the first trial.
        other: objective values of the second trial, of the same length.
    """
    # Values that differ only by rounding, such as means over classes, count as equal.
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if not math.isclose(a, b)]
    return bool(pairs) and all(a < b for a, b in pairs)

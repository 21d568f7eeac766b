"""The Pareto front of a search by several numbers: no trial on it is dominated by another.

A trial dominates another if it is nowhere worse and somewhere better. Whoever cares for one number
more than for another chooses among the trials of the front.
"""

import math
from collections.abc import Sequence

from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial


def pareto_front(run: SearchRun) -> list[Trial]:
    """The finished trials that no other dominates, best first by the first number.

    Args:
        run: the search; by a single number, the front are the trials that share the best.
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
    """Whether one trial is nowhere worse than another and somewhere better; lower is better.

    Args:
        one: its numbers.
        other: the other's, as many.
    """
    # Shares of images are equal that differ by the rounding of their mean over classes only.
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if not math.isclose(a, b)]
    return bool(pairs) and all(a < b for a, b in pairs)

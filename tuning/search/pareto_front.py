"""The front of a search by several numbers: what can be had of one without giving up another.

A trial is beaten by another that is nowhere worse and somewhere better. The front are the trials
that none beats: whoever cares for one number more than for another chooses among these.
"""

import math
from collections.abc import Sequence

from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial


def front(run: SearchRun) -> list[Trial]:
    """The finished trials that no other beats, best first by the first number.

    Args:
        run: the search; by a single number, its front are the trials that share the best.
    """
    ranked = run.ranked(run.trials)
    signs = [1 if lower else -1 for lower in run.search.space.lower_is_better]
    costs = [[s * v for s, v in zip(signs, t.numbers, strict=True)] for t in ranked]
    return [
        trial
        for trial, own in zip(ranked, costs, strict=True)
        if not any(beats(other, own) for other in costs)
    ]


def beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether one trial is nowhere worse than another and somewhere better; lower is better.

    Args:
        one: its numbers.
        other: the other's, as many.
    """
    # Shares of images are equal that differ by the rounding of their mean over classes only.
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if not math.isclose(a, b)]
    return bool(pairs) and all(a < b for a, b in pairs)

"""The bracket about the best step sizes tried, how a search widens it, and when a search ends.

Trials are *best* if their values differ from the lowest by no more than twice their standard error.
The best are bracketed if a worse trial lies on either side of them. While they are not, the bracket
widens, and each step beyond the edge is twice the step before, so that a start that is wrong by a
factor of ten costs a few trials. On a slope, a step of more than a factor of 2.1 has often
crossed half of the valley: the next step goes to the greatest expected improvement beyond the edge,
at most twice as far.

On a plateau, where all trials are equal, a step is at least a factor of two. The search widens on
both sides in turn, to the right for longer: to the left of the valley the curve is a plateau of
noise, to its right the curve rises. The more trials there are, the farther the lowest of equal ones
lies below the highest by chance (`plateau_range`), and a bracket about a lowest value of noise
would end the search on the plateau.

A search ends when

- the best are bracketed, or lie at the end of the interval;
- two neighbouring trials that noise could make the best are at most a factor of two apart, and one
  of them and its neighbour at most a factor of five. Far values are equal where noise is large or
  where a second valley lies between, and a model of one valley expects little there;
- the expected improvement is below a tolerance. Where the noise between the best trials is known
  and large, a quarter of their error takes the place of the tolerance: a smaller improvement could
  not be seen.

References:
    Press et al. (2007), Numerical Recipes, Section 10.1 (bracketing a minimum by growing steps).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from tuning.spaces.valleys import Array

Side = Literal["worse", "end", "open"]
"""What lies beyond the best trials on one side: a worse trial, the end, or values to try."""

WITHIN = 2.0
"""Number of standard errors of a difference up to which two trials are equal."""

LEAST_STEP = 0.2
"""Least distance, in log step size, of the second trial from the first and of a step on a slope."""

_CHANCE = 0.01  # share of plateaus on which the noise passes for a slope
_UNSEEN = 0.25  # share of the error of a difference that an improvement cannot be seen below
_GROWTH = 2.0
_FACTOR_OF_TWO = math.log(2)
_LONG_STEP = 0.75  # log step size; above the rounded least step on a plateau
_RIGHT_SHARE = 3.0  # on a plateau, the right side may be this many times as far from the start


@dataclass(frozen=True)
class Standing:
    """How far a search is from its end.

    Attributes:
        below: what lies below the best step sizes.
        above: what lies above the best step sizes.
        improvement: largest expected improvement of a further trial, in log of the value, that is
            relative to the best value if small.
        within: lowest and highest step size whose expected result is within noise of the best.
        noise: least standard error of a difference between the best trial and another of the best;
            0 if no other is best.
        has_gap: whether a wide gap lies beside a trial that noise could make the best.
    """

    below: Side
    above: Side
    improvement: float
    within: tuple[float, float]
    noise: float = 0.0
    has_gap: bool = False

    @property
    def is_bracketed(self) -> bool:
        """Whether neither edge can move."""
        return "open" not in (self.below, self.above)

    def is_done(self, tolerance: float) -> bool:
        """Returns whether the search ends.

        Args:
            tolerance: expected improvement below which a search ends, relative to the best value.
        """
        is_settled = self.improvement < max(tolerance, _UNSEEN * self.noise)
        return self.is_bracketed and not self.has_gap and is_settled

    def described(self) -> str:
        """Returns where the best step sizes lie and what a further trial promises, in words."""
        sides = [name for name, side in (("lower", self.below), ("upper", self.above))
                 if side == "open"]  # fmt: skip
        ends = [name for name, side in (("lower", self.below), ("upper", self.above))
                if side == "end"]  # fmt: skip
        if sides:
            where = f"at the {' and the '.join(sides)} edge of those tried"
        else:
            where = f"at the {' and the '.join(ends)} end of the interval" if ends else "bracketed"
            where += " with a gap" * self.has_gap
        noise = f" (noise {self.noise:.0%})" if self.noise >= 0.01 else ""
        return f"{where}, expected improvement {100 * self.improvement:.2g}%{noise}"


@dataclass(frozen=True)
class Bracket:
    """The best trials and what lies on either side of them.

    Attributes:
        low: log step size of the nearest worse trial below the best, or of the end of the grid.
        high: the same above the best.
        best: lowest and highest log step size of the best trials.
        below: what lies below the best.
        above: what lies above the best.
    """

    low: float
    high: float
    best: tuple[float, float]
    below: Side
    above: Side

    @property
    def is_flat(self) -> bool:
        """Whether no trial is worse than the others."""
        return "worse" not in (self.below, self.above)


def plateau_range(n_trials: int) -> float:
    """Returns the number of standard errors that all differences on a plateau stay below.

    Of n equal trials, one of the n (n - 1) / 2 differences exceeds this number by chance in at most
    one of a hundred searches (Bonferroni's inequality).

    Args:
        n_trials: number of trials, >= 1.
    """
    return -float(ndtri(_CHANCE / max(2, n_trials * (n_trials - 1))))


def bracket(
    x: Array, y: Array, errors: Array, grid: Array, free: NDArray[np.bool_], n_best: int = 1
) -> Bracket:
    """Returns the bracket about the best trials.

    Args:
        x: log step sizes of the trials, (n,), n >= 1.
        y: heights of their values above the lowest, (n,), >= 0.
        errors: standard error of each height, (n,).
        grid: log step sizes that can be tried, ascending.
        free: whether each of the grid is untried.
        n_best: number of trials that count as best in any case, >= 1.
    """
    rank = np.argsort(np.argsort(y, kind="stable"))
    height = y - y.min()
    is_plateau = bool((height <= plateau_range(len(x)) * errors).all())
    equal = x[(height <= WITHIN * errors) | (rank < n_best) | is_plateau]
    first, last = float(equal.min()), float(equal.max())
    left, right = x[x < first], x[x > last]
    below: Side = "worse" if left.size else "open" if free[grid < first].any() else "end"
    above: Side = "worse" if right.size else "open" if free[grid > last].any() else "end"
    return Bracket(
        low=float(left.max()) if left.size else float(min(grid[0], first)),
        high=float(right.min()) if right.size else float(max(grid[-1], last)),
        best=(first, last),
        below=below,
        above=above,
    )


def widened(
    at: Bracket,
    x: Array,
    start: float,
    grid: Array,
    free: NDArray[np.bool_],
    improvement: Array,
) -> int | None:
    """Returns the index of the grid value that widens the bracket; None if no edge can move.

    Args:
        at: bracket about the best trials.
        x: log step sizes of the trials, (n,), n >= 2, not all equal.
        start: log step size that the search started from.
        grid: log step sizes that can be tried, ascending.
        free: whether each of the grid is untried.
        improvement: expected improvement of each of the grid, 0 where it is tried.
    """
    tried = np.unique(x)
    edges = []
    if at.below == "open":
        edges.append((start - tried[0], -1.0, tried[0], tried[1] - tried[0], grid[0]))
    if at.above == "open":
        reach = (tried[-1] - start) / _RIGHT_SHARE
        edges.append((reach, 1.0, tried[-1], tried[-1] - tried[-2], grid[-1]))
    if not edges:
        return None
    _, side, edge, last_step, end = min(edges)
    least = _FACTOR_OF_TWO if at.is_flat else LEAST_STEP
    step = min(max(_GROWTH * last_step, least), abs(end - edge))
    beyond = side * (grid - edge)
    if last_step > _LONG_STEP and not at.is_flat:
        within = np.where((least <= beyond) & (beyond <= step), improvement, 0)
        if within.any():
            return most_promising(within)
    distance = np.where(free & (beyond > 0), np.abs(beyond - step), np.inf)
    return int(distance.argmin())


def most_promising(improvement: Array) -> int:
    """Returns the index of the greatest expected improvement, which must be above 0."""
    # Rounded so that the choice does not depend on the rounding errors of a machine.
    return int(np.round(improvement / improvement.max(), 6).argmax())


def within_noise(mean: Array, grid: Array, at: Bracket, error: float) -> tuple[int, int]:
    """Returns the grid values about the best whose expected results are within noise of the best.

    Args:
        mean: expected height of each grid value.
        grid: log step sizes that can be tried, ascending.
        at: bracket about the best trials, inside which the values lie.
        error: standard error of the best height.

    Returns:
        Index of the lowest and of the highest value.
    """
    first, last = (int(np.abs(grid - end).argmin()) for end in at.best)
    limit = mean[first : last + 1].min() + WITHIN * error
    inside = (mean <= limit) & (grid >= at.low) & (grid <= at.high)
    inside &= ~((at.below == "worse") & (grid <= at.low))
    inside &= ~((at.above == "worse") & (grid >= at.high))
    while first > 0 and inside[first - 1]:
        first -= 1
    while last < len(grid) - 1 and inside[last + 1]:
        last += 1
    return first, last


def open_gap(
    x: Array,
    is_best: NDArray[np.bool_],
    grid: Array,
    free: NDArray[np.bool_],
) -> int | None:
    """Returns the index of the grid value in the middle of the widest gap beside the best.

    Args:
        x: log step sizes of the trials, (n,), n >= 1.
        is_best: whether noise could make each trial the best, (n,).
        grid: log step sizes that can be tried, ascending.
        free: whether each of the grid is untried.

    Returns:
        The index; None if neighbouring trials are at most a factor of two apart where both could be
        best, and of five where one could, or if no value in a wider gap is free.
    """
    order = np.argsort(x, kind="stable")
    tried, best = x[order], is_best[order].astype(int)
    limit = np.choose(best[:-1] + best[1:], [np.inf, math.log(5), _FACTOR_OF_TWO])
    for i in np.argsort(-np.diff(tried), kind="stable"):
        inside = free & (tried[i] < grid) & (grid < tried[i + 1])
        if tried[i + 1] - tried[i] > limit[i] and inside.any():
            middle = (tried[i] + tried[i + 1]) / 2
            return int(np.where(inside, np.abs(grid - middle), np.inf).argmin())
    return None

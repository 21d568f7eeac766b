"""Bayesian optimisation of a step size: an Optuna sampler with a prior for valley-shaped curves.

`tuning.spaces.valleys` describes the statistical model, `tuning.spaces.bracket` how a search widens
and ends. The starts come first, then a proposal is

- after one trial, the greatest expected improvement at some distance from the trial, because two
  near values do not tell a slope from a plateau;
- the step that widens the bracket, while the best of two or more trials are at an edge;
- the middle of a wide gap beside a trial that noise could make the best;
- else the rounded epsilon of the greatest expected improvement, averaged over the weighted valleys;
- every second time the middle of the widest gap, once the expected improvement is below 1%, so that
  a search that goes on finds an optimum in a second valley.

Half of the valleys have their minimum about the starts; from the second trial on, the other half
have it anywhere in the bracket.

Evidence (``python -m tests.benchmarks search``): see docs/search.md.

References:
    Jones et al. (1998), Efficient global optimization (expected improvement).
    Ginsbourger et al. (2010), Kriging is well-suited to parallelize optimization (the "believer").
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from scorelib.errors import InputError
from scorelib.step_size import round_significant
from tuning.spaces.bracket import (
    LEAST_STEP,
    WITHIN,
    Bracket,
    Standing,
    bracket,
    most_promising,
    open_gap,
    widened,
    within_noise,
)
from tuning.spaces.parameters import EPSILON
from tuning.spaces.trial import Trial, as_optuna_trial
from tuning.spaces.valleys import ERROR, HIGHEST, Array, draw_valleys, expect, relative

Space = dict[str, BaseDistribution]
Values = dict[str, Any]

_FLOOR = 20.0  # a lower end of 0 becomes the smallest start divided by this
_SETTLED = 0.01  # expected improvement below which every second trial fills the widest gap
_DIGITS, _FEWEST, _RESOLUTION = 2, 20, 100

# Every call creates a study in memory, which would write a line to the user's log.
optuna.logging.get_logger("optuna.storages._in_memory").setLevel(optuna.logging.WARNING)


def propose_step_sizes(
    finished: Sequence[Trial],
    *,
    low: float,
    high: float,
    starts: Sequence[float],
    n: int,
    seed: int,
    digits: int = 2,
    lower_is_better: bool = True,
    name: str = EPSILON,
    errors: Sequence[float] = (),
) -> list[float]:
    """Returns the next step sizes to try, all new and different.

    The result is a pure function of the arguments.

    Args:
        finished: all trials so far, in order of proposal.
        low: lower end of the open interval of epsilon, >= 0. 0 stands for the smallest start
            divided by 20 (r = 0.24 for ALS; an update with r < 1 cannot follow the schedule).
        high: upper end of the interval, > low, finite.
        starts: step sizes to propose first, in order; the optimum is expected near them. A start
            that is not admissible is replaced by the nearest admissible number.
        n: number of step sizes to propose, >= 1.
        seed: seed of the random valleys.
        digits: significant digits of the proposals; small, because all numbers with so many digits
            are evaluated.
        lower_is_better: whether lower values are better.
        name: name of the step size among the values of a trial.
        errors: standard error of the log of each trial's value over the best value; () if none is
            measured.

    Returns:
        n step sizes strictly inside the interval; fewer if all numbers with so many digits are
        tried.

    Raises:
        InputError: the interval is empty or infinite, there is no start, a start is not positive
            and finite, or a trial lies outside the interval.
    """
    if not starts or not all(0 < start < math.inf for start in starts):
        raise InputError(f"starts must be one or more positive step sizes, but got {list(starts)}")
    if not 0 <= low < high < math.inf:
        raise InputError(f"`0 <= low < high < inf` must hold, but got ({low=:g}, {high=:g})")
    low, high = searched_interval(low, high, starts)
    tried = _tried(finished, name, low, high)
    grid = _rounded_between(low, high, digits)
    n_free = len(set(grid) - {round_significant(epsilon, digits) for epsilon in tried})
    if not n_free:
        return []
    space: Space = {name: FloatDistribution(low, high, log=True)}
    study = optuna.create_study(
        direction="minimize" if lower_is_better else "maximize",
        sampler=ValleySampler(grid, starts, seed, digits, errors),
    )
    study.add_trials([as_optuna_trial(trial, space) for trial in finished])
    asked = [study.ask(space) for _ in range(min(n, n_free))]
    return [float(trial.params[name]) for trial in asked]


def _tried(finished: Sequence[Trial], name: str, low: float, high: float) -> list[float]:
    """Returns the step sizes of trials; raises InputError for one outside the interval."""
    tried = [float(trial.values[name]) for trial in finished]
    for epsilon in tried:
        if not low < epsilon < high:
            raise InputError(f"trials must lie in ({low:g}, {high:g}), but got {epsilon:g}")
    return tried


def standing(
    finished: Sequence[Trial],
    *,
    low: float,
    high: float,
    starts: Sequence[float],
    seed: int,
    digits: int = 2,
    lower_is_better: bool = True,
    name: str = EPSILON,
    errors: Sequence[float] = (),
    n_best: int = 1,
) -> Standing | None:
    """Returns how far a search is from its end; None while no trial has a value.

    Args:
        finished: all trials so far, in order of proposal.
        low: lower end of the interval; see `propose_step_sizes`.
        high: upper end of the interval.
        starts: step sizes proposed first.
        seed: seed of the random valleys.
        digits: significant digits of the proposals.
        lower_is_better: whether lower values are better.
        name: name of the step size among the values of a trial.
        errors: standard error of each trial; see `propose_step_sizes`.
        n_best: number of best trials that must be bracketed, >= 1.

    Raises:
        InputError: a trial lies outside the interval.
    """
    if not any(trial.has_numbers for trial in finished):
        return None
    low, high = searched_interval(low, high, starts)
    tried = _tried(finished, name, low, high)
    sampler = ValleySampler(_rounded_between(low, high, digits), starts, seed, digits, errors)
    sign = 1 if lower_is_better else -1
    y = relative([sign * trial.numbers[0] if trial.has_numbers else None for trial in finished])
    return sampler.standing(tried, y, n_best)


def searched_interval(low: float, high: float, starts: Sequence[float]) -> tuple[float, float]:
    """Returns the searched open interval of epsilon.

    Args:
        low: lower end, >= 0; 0 stands for the smallest start, or `high` if it is less, divided by
            20.
        high: upper end, > low.
        starts: step sizes to propose first, at least one.
    """
    return low or min(min(starts), high) / _FLOOR, high


def digits_for(low: float, high: float) -> int:
    """Returns the number of significant digits to which step sizes in an interval are rounded.

    Two, the paper's precision, unless fewer than 20 numbers of two digits lie inside: then as many
    as make steps of at most a hundredth of the interval.

    Args:
        low: lower end of the searched interval, > 0.
        high: upper end, > low.
    """
    if len(_rounded_between(low, high, _DIGITS)) >= _FEWEST:
        return _DIGITS
    first = math.floor(math.log10(high)) + 1
    return max(_DIGITS, first - math.floor(math.log10((high - low) / _RESOLUTION)))


@lru_cache(maxsize=64)  # a search asks at every trial
def _rounded_between(low: float, high: float, digits: int) -> tuple[float, ...]:
    """Returns all numbers of `digits` significant digits strictly inside (low, high), ascending."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    mantissas = range(10 ** (digits - 1), 10**digits)
    # Parsed from decimal text as in round_significant, so that equal numbers are equal floats.
    numbers = (float(f"{m}e{decade - digits + 1}") for decade in decades for m in mantissas)
    return tuple(number for number in numbers if low < number < high)


class ValleySampler(optuna.samplers.BaseSampler):
    """Stateless Optuna sampler for one positive parameter with a valley-shaped curve.

    Args:
        grid: admissible values, ascending; at least one must be untried when the sampler is called.
        starts: values to propose first; they are the centres of the prior of the minimum.
        seed: seed of the random valleys.
        digits: number of significant digits up to which two values are the same.
        errors: standard error of the log of each finished trial's value over the best value, in
            order of the trials; later trials have the usual error.
    """

    def __init__(
        self,
        grid: Sequence[float],
        starts: Sequence[float],
        seed: int,
        digits: int,
        errors: Sequence[float] = (),
    ) -> None:
        self._values, self._grid, self._digits = grid, np.log(np.array(grid)), digits
        self._centres, self._seed, self._errors = np.log(np.array(starts)), seed, errors
        self._starts = [int(np.abs(self._grid - centre).argmin()) for centre in self._centres]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Space:
        """Returns an empty space: a single parameter has nothing to be sampled jointly with."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Space) -> Values:
        """Returns no values."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> float:
        """Returns a start, a step that widens the bracket, or the most promising value."""
        others = [t for t in study.get_trials(deepcopy=False) if param_name in t.params]
        others.sort(key=lambda t: t.state == TrialState.RUNNING)  # finished first
        tried = [t.params[param_name] for t in others]
        free = self._free(tried)
        for start in self._starts:
            if free[start]:
                return self._values[start]
        sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
        values = [t.value for t in others if t.state != TrialState.RUNNING]
        y = relative([None if value is None else sign * value for value in values])
        x = np.log(np.array(tried))
        for running in range(len(y), len(x)):  # assume its expected value (the "believer")
            known = x[:running]
            valleys = self._model(known, y, free)[0] if running else self._prior()
            mean, _ = expect(valleys, known, y, x[[running]], self._error(running))
            y = np.append(y, np.clip(mean, 0, HIGHEST))
        return self._values[self._next(x, y, free)]

    def _next(self, x: Array, y: Array, free: NDArray[np.bool_]) -> int:
        """Returns the index of the most promising free value."""
        valleys, at = self._model(x, y, free)
        mean, improvement = expect(valleys, x, y, self._grid, self._error(len(x)))
        improvement = np.where(free, improvement, 0)
        if np.unique(x).size > 1:
            wider = widened(at, x, float(self._centres[0]), self._grid, free, improvement)
            if wider is not None or at.is_flat:
                return _widest_gap(x, self._grid, free) if wider is None else wider
            if (middle := self._gap(x, y, mean, at, free)) is not None:
                return middle
        else:  # a nearer second trial would not tell a slope from a plateau
            improvement[np.abs(self._grid - x[0]) < LEAST_STEP] = 0
        is_settled = improvement.max() < _SETTLED and len(x) % 2 == 0
        if is_settled or not improvement.any():
            return _widest_gap(x, self._grid, free)
        return most_promising(improvement)

    def _equal(self, x: Array, y: Array, mean: Array, at: Bracket) -> tuple[float, float]:
        """Returns the lowest and the highest log step size within noise of the best."""
        low, high = within_noise(mean, self._grid, at, float(self._error(len(x))[y.argmin()]))
        return min(float(self._grid[low]), at.best[0]), max(float(self._grid[high]), at.best[1])

    def _gap(
        self, x: Array, y: Array, mean: Array, at: Bracket, free: NDArray[np.bool_]
    ) -> int | None:
        """Returns the index of the middle of a wide gap beside the best; None if there is none."""
        low, high = self._equal(x, y, mean, at)
        return open_gap(x, (low <= x) & (x <= high), self._grid, free)

    def _free(self, tried: Sequence[float]) -> NDArray[np.bool_]:
        taken = {round_significant(value, self._digits) for value in tried}
        return np.array([value not in taken for value in self._values])

    def _error(self, n_trials: int) -> Array:
        known = np.array(self._errors[:n_trials])
        return np.concatenate([known, np.full(n_trials - len(known), ERROR)])

    def _model(self, x: Array, y: Array, free: NDArray[np.bool_]) -> tuple[Array, Bracket]:
        """Returns the valleys of the prior and the bracket about the best trials."""
        at = bracket(x, y, self._error(len(x)), self._grid, free)
        return self._prior((at.low, at.high) if len(x) > 1 else None), at

    def _prior(self, between: tuple[float, float] | None = None) -> Array:
        ends = (float(self._grid[0]), float(self._grid[-1]))
        return draw_valleys(self._centres, *ends, self._seed, between)

    def standing(self, tried: Sequence[float], y: Array, n_best: int) -> Standing:
        """Returns how far a search is from its end; see `standing`.

        Args:
            tried: values of the finished trials, at least one.
            y: heights of the results above the best.
            n_best: number of best trials that must be bracketed, >= 1.
        """
        x, free, errors = np.log(np.array(tried)), self._free(tried), self._error(len(tried))
        valleys, own = self._model(x, y, free)
        mean, improvement = expect(valleys, x, y, self._grid, errors)
        at = bracket(x, y, errors, self._grid, free, n_best)
        others = [i for i in np.flatnonzero(y <= WITHIN * errors) if i != y.argmin()]
        low, high = self._equal(x, y, mean, own)
        return Standing(
            at.below,
            at.above,
            float(np.where(free, improvement, 0).max(initial=0)),
            (self._value(low, tried), self._value(high, tried)),
            min((float(errors[i]) for i in others), default=0.0),
            self._gap(x, y, mean, own, free) is not None,
        )

    def _value(self, log: float, tried: Sequence[float]) -> float:
        """Returns the trial or admissible value whose logarithm is given, exactly."""
        return min((*tried, *self._values), key=lambda value: abs(math.log(value) - log))


def _widest_gap(x: Array, grid: Array, free: NDArray[np.bool_]) -> int:
    """Returns the index of the free grid point farthest from all trials and from both ends."""
    occupied = np.concatenate([x, grid[[0, -1]]])
    return int(np.where(free, np.abs(grid[:, None] - occupied).min(1), -1).argmax())

"""Bayesian optimisation of a step size: an Optuna sampler with a prior for valley-shaped curves.

As a function of log epsilon, the distance between generated and real images is an asymmetric
valley. Let y be the log of the distance relative to the best distance. To the left of the minimum
(the sampler adds too little noise, or the chain lags behind the schedule), y rises like a cubic up
to a plateau of pure noise. To the right it rises like a quadratic. The location of the minimum, the
widths and the height of the plateau differ between networks. The model is

    y(log epsilon) = log(value / best so far) = constant + valley + Gaussian process,

where the Gaussian process models the deviation from a valley. 2048 valleys are drawn from a prior
around the starts and weighted by their marginal likelihoods, which share one covariance matrix. The
proposal is the rounded epsilon of the greatest expected improvement, averaged over the weighted
valleys. The assumed error of y grows with y: a value far above the best tells on which side of the
minimum it lies, but not how steep the valley is. If all values are equally bad, the valleys that
predict a difference lose their weight, so plateaus need no special case. From the tenth trial on,
every fourth trial goes into the widest gap, so that an optimum at an end of the interval or in a
second valley is found in time.

Numbers that are better higher are searched by their negatives. Numbers that are not all positive
have no logarithm of a ratio; their y is log(1 + excess over the best / median excess).

Evidence (``python -m tests.benchmarks search``, 20 seeds): median number of trials until a value is
within 2% of the best, on each of 13 synthetic curves like the published ones: 1 to 5 (worst 5; TPE
from the same start 1 to 19). With the optimum moved by a factor of 0.7 to 3: 3 to 5 (worst 11; TPE
3 to 16, Optuna's GP 2.5 to 10, random search 3 to 28). On two measured CIFAR-10 curves moved in the
same way: 4 and 5 (TPE 12 and 8, GP 7 and 6.5).

References:
    Jones et al. (1998), Efficient global optimization (expected improvement).
    Ginsbourger et al. (2010), Kriging is well-suited to parallelize optimization (the "believer").
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtr

from scorelib.errors import InputError
from scorelib.step_size import round_significant
from tuning.spaces.parameters import EPSILON
from tuning.spaces.trial import Trial, as_optuna_trial

Array = NDArray[np.float64]
Space = dict[str, BaseDistribution]
Values = dict[str, Any]

_FLOOR = 20.0  # a lower end of 0 becomes the smallest start divided by this
_HIGHEST = 3.0  # cap of y: a value 20 times the best counts as a failure
_N_VALLEYS, _N_KEPT = 2048, 400
_PLACE_SPREAD = 0.2  # Cauchy scale of log(place / start): half within 22%, 10% beyond 3.5-fold
_LEFT, _RIGHT, _PLATEAU = (0.15, 0.6), (0.15, 1.7), (0.1, 3.0)  # ranges, log-uniform
_OFFSET, _MISFIT, _MISFIT_LENGTH = 0.7, 0.08, 0.25  # deviations of constant and process; its length
_ERROR, _ERROR_GROWTH = 0.005, 0.2  # the standard error of y is 0.005 + 0.2 y
_FIRST_GAP, _GAP_EVERY = 9, 4
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
    tried = [float(trial.values[name]) for trial in finished]
    for epsilon in tried:
        if not low < epsilon < high:
            raise InputError(f"trials must lie in ({low:g}, {high:g}), but got {epsilon:g}")
    grid = _rounded_between(low, high, digits)
    n_free = len(set(grid) - {round_significant(epsilon, digits) for epsilon in tried})
    if not n_free:
        return []
    space: Space = {name: FloatDistribution(low, high, log=True)}
    study = optuna.create_study(
        direction="minimize" if lower_is_better else "maximize",
        sampler=ValleySampler(grid, starts, seed, digits),
    )
    study.add_trials([as_optuna_trial(trial, space) for trial in finished])
    asked = [study.ask(space) for _ in range(min(n, n_free))]
    return [float(trial.params[name]) for trial in asked]


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


def _rounded_between(low: float, high: float, digits: int) -> list[float]:
    """Returns all numbers of `digits` significant digits strictly inside (low, high), ascending."""
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    mantissas = range(10 ** (digits - 1), 10**digits)
    # Parsed from decimal text as in round_significant, so that equal numbers are equal floats.
    numbers = (float(f"{m}e{decade - digits + 1}") for decade in decades for m in mantissas)
    return [number for number in numbers if low < number < high]


class ValleySampler(optuna.samplers.BaseSampler):
    """Stateless Optuna sampler for one positive parameter with a valley-shaped curve.

    Args:
        grid: admissible values, ascending; at least one must be untried when the sampler is called.
        starts: values to propose first; they are the centres of the prior of the minimum.
        seed: seed of the random valleys.
        digits: number of significant digits up to which two values are the same.
    """

    def __init__(self, grid: list[float], starts: Sequence[float], seed: int, digits: int) -> None:
        self._values, self._grid, self._digits = grid, np.log(np.array(grid)), digits
        centres = np.log(np.array(starts))
        self._starts = [int(np.abs(self._grid - centre).argmin()) for centre in centres]
        self._valleys = _draw_valleys(centres, self._grid[0], self._grid[-1], seed)

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
        """Returns a start, the middle of the widest gap, or the most promising value."""
        others = [t for t in study.get_trials(deepcopy=False) if param_name in t.params]
        others.sort(key=lambda t: t.state == TrialState.RUNNING)  # finished first
        tried = {round_significant(t.params[param_name], self._digits) for t in others}
        free = np.array([value not in tried for value in self._values])
        for start in self._starts:
            if free[start]:
                return self._values[start]
        x = np.log(np.array([t.params[param_name] for t in others]))
        sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
        values = [t.value for t in others if t.state != TrialState.RUNNING]
        y = _relative([None if value is None else sign * value for value in values])
        for running in range(len(y), len(x)):  # assume its expected value (the "believer")
            mean, _ = _expect(self._valleys, x[:running], y, x[[running]])
            y = np.append(y, np.clip(mean, 0, _HIGHEST))
        _, improvement = _expect(self._valleys, x, y, self._grid)
        improvement = np.where(free, improvement, 0)
        gap_is_due = len(x) >= _FIRST_GAP and (len(x) - _FIRST_GAP) % _GAP_EVERY == 0
        if gap_is_due or not improvement.any():
            return self._values[_widest_gap(x, self._grid, free)]
        # Rounded so that the choice does not depend on the rounding errors of a machine.
        return self._values[int(np.round(improvement / improvement.max(), 6).argmax())]


def _relative(costs: Sequence[float | None]) -> Array:
    """Returns y, the height of each cost above the best; at most _HIGHEST.

    If all costs are positive, y is the log of the cost over the best. Otherwise y is log(1 +
    excess / median), of the excess over the best and the median of the excesses above 0. A failure
    (None) has y = _HIGHEST, and all y are 0 if all trials failed.
    """
    finite = np.array([cost if cost is not None else np.inf for cost in costs])
    best = finite.min(initial=np.inf)
    if best == np.inf:
        return np.zeros(len(costs))
    if best > 0:
        y: Array = np.log(finite / best)
    else:
        excess = finite - best
        above = excess[np.isfinite(excess) & (excess > 0)]
        y = np.log1p(excess / np.median(above)) if above.size else excess
    return y.clip(max=_HIGHEST)


def _widest_gap(x: Array, grid: Array, free: NDArray[np.bool_]) -> int:
    """Returns the index of the free grid point farthest from all trials and from both ends."""
    occupied = np.concatenate([x, grid[[0, -1]]])
    return int(np.where(free, np.abs(grid[:, None] - occupied).min(1), -1).argmax())


def _draw_valleys(centres: Array, low: float, high: float, seed: int) -> Array:
    """Draws valleys from the prior with a Sobol sequence.

    Returns:
        Place of the minimum, left and right width, and plateau of each valley; (4, _N_VALLEYS).
    """
    from scipy.stats import qmc  # imported here because it takes half a second

    uniform = qmc.Sobol(4, rng=np.random.default_rng(seed)).random(_N_VALLEYS).T
    centre = np.clip(np.resize(centres, _N_VALLEYS), low, high)
    lowest, highest = (np.arctan((end - centre) / _PLACE_SPREAD) for end in (low, high))
    place = centre + _PLACE_SPREAD * np.tan(lowest + (highest - lowest) * uniform[0])
    ranges = (_LEFT, _RIGHT, _PLATEAU)
    shapes = [a * (b / a) ** u for (a, b), u in zip(ranges, uniform[1:], strict=True)]
    return np.stack([place, *shapes])


def _heights(valleys: Array, x: Array) -> Array:
    """Returns the heights of the valleys at x above their minima, shape (valleys, points)."""
    place, left, right, plateau = valleys[:, :, None]
    u = x - place
    unbounded: Array = np.where(u < 0, (-u / left) ** 3, (u / right) ** 2)
    return unbounded.clip(max=plateau)


def _covariance(a: Array, b: Array) -> Array:
    """Returns the prior covariance of constant plus process between points a and points b."""
    d: Array = math.sqrt(5) * np.abs(a[:, None] - b) / _MISFIT_LENGTH
    return _OFFSET**2 + _MISFIT**2 * (1 + d + d**2 / 3) * np.exp(-d)


def _expect(valleys: Array, x: Array, y: Array, at: Array) -> tuple[Array, Array]:
    """Returns the expected y and the expected improvement below 0 at `at`, given trials (x, y)."""
    covariance = _covariance(x, x) + np.diag((_ERROR + _ERROR_GROWTH * y) ** 2)
    misfit = y - _heights(valleys, x)
    log_likelihood = -0.5 * (misfit * np.linalg.solve(covariance, misfit.T).T).sum(1)
    kept = np.argsort(-log_likelihood, kind="stable")[:_N_KEPT]
    weight = np.exp(log_likelihood[kept] - log_likelihood[kept[0]])
    weight /= weight.sum()
    cross = _covariance(x, at)
    gain = np.linalg.solve(covariance, cross)
    mean = _heights(valleys[:, kept], at) + misfit[kept] @ gain
    variance = _OFFSET**2 + _MISFIT**2 - (cross * gain).sum(0)
    deviation = np.sqrt(np.maximum(variance, 1e-8))
    z = -mean / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return weight @ mean, weight @ (deviation * (z * ndtr(z) + density))

"""The statistical model of a step size's curve: a mixture of valleys plus a Gaussian process.

As a function of log epsilon, the distance between generated and real images is an asymmetric
valley. Let y be the log of the distance relative to the best distance. To the left of the minimum
(the sampler adds too little noise, or the chain lags behind the schedule), y rises like a cubic up
to a plateau of pure noise. To the right it rises like a quadratic. The location of the minimum, the
widths and the height of the plateau differ between networks. The model is

    y(log epsilon) = log(value / best so far) = constant + valley + Gaussian process,

where the Gaussian process models the deviation from a valley. 2048 valleys are drawn from a prior
and weighted by their marginal likelihoods, which share one covariance matrix. The assumed error of
y grows with y: a value far above the best tells on which side of the minimum it lies, but not how
steep the valley is. If all values are equally bad, the valleys that predict a difference lose their
weight, so plateaus need no special case here.

Numbers that are better higher are searched by their negatives. Numbers that are not all positive
have no logarithm of a ratio; their y is log(1 + excess over the best / median excess).

References:
    Jones et al. (1998), Efficient global optimization (expected improvement).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

HIGHEST = 3.0
"""Cap of y: a value 20 times the best counts as a failure."""

ERROR = 0.005
"""Standard error of y at the best value, if none is measured."""

_N_VALLEYS, _N_KEPT = 2048, 400
_PLACE_SPREAD = 0.2  # Cauchy scale of log(place / start): half within 22%, 10% beyond 3.5-fold
_LEFT, _RIGHT, _PLATEAU = (0.15, 0.6), (0.15, 1.7), (0.1, 3.0)  # ranges, log-uniform
_OFFSET, _MISFIT, _MISFIT_LENGTH = 0.7, 0.08, 0.25  # deviations of constant and process; its length
_ERROR_GROWTH = 0.2  # the standard error of y is that at the best value + 0.2 y


def relative(costs: Sequence[float | None]) -> Array:
    """Returns y, the height of each cost above the best; at most `HIGHEST`.

    If all costs are positive, y is the log of the cost over the best. Otherwise y is log(1 +
    excess / median), of the excess over the best and the median of the excesses above 0. A failure
    (None) has y = HIGHEST, and all y are 0 if all trials failed.

    Args:
        costs: values of the trials, lower ones better; None for a failure.
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
    return y.clip(max=HIGHEST)


def draw_valleys(
    centres: Array,
    low: float,
    high: float,
    seed: int,
    between: tuple[float, float] | None = None,
) -> Array:
    """Draws valleys from the prior with a Sobol sequence.

    Args:
        centres: log step sizes about which the minima are expected, at least one.
        low: lower end of the places of the minima, log.
        high: upper end of the places, log.
        seed: seed of the sequence.
        between: ends, log, between which the second half of the minima are spread evenly: the
            bracket about the best trials. None for the prior alone.

    Returns:
        Place of the minimum, left and right width, and plateau of each valley; (4, 2048).
    """
    from scipy.stats import qmc  # imported here because it takes half a second

    uniform = qmc.Sobol(4, rng=np.random.default_rng(seed)).random(_N_VALLEYS).T
    centre = np.clip(np.resize(centres, _N_VALLEYS), low, high)
    lowest, highest = (np.arctan((end - centre) / _PLACE_SPREAD) for end in (low, high))
    place = centre + _PLACE_SPREAD * np.tan(lowest + (highest - lowest) * uniform[0])
    if between is not None:
        half = _N_VALLEYS // 2
        place[half:] = between[0] + (between[1] - between[0]) * uniform[0, half:]
    ranges = (_LEFT, _RIGHT, _PLATEAU)
    shapes = [a * (b / a) ** u for (a, b), u in zip(ranges, uniform[1:], strict=True)]
    return np.stack([place, *shapes])


def heights(valleys: Array, x: Array) -> Array:
    """Returns the heights of the valleys at x above their minima, shape (valleys, points)."""
    place, left, right, plateau = valleys[:, :, None]
    u = x - place
    scaled = u / np.where(u < 0, -left, right)
    square = scaled * scaled
    # NumPy computes cubes by pow: the function would take five times as long.
    bounded: Array = np.minimum(np.where(u < 0, square * scaled, square), plateau)
    return bounded


def _covariance(a: Array, b: Array) -> Array:
    """Returns the prior covariance of constant plus process between points a and points b."""
    d: Array = math.sqrt(5) * np.abs(a[:, None] - b) / _MISFIT_LENGTH
    return _OFFSET**2 + _MISFIT**2 * (1 + d + d**2 / 3) * np.exp(-d)


def expect(
    valleys: Array, x: Array, y: Array, at: Array, errors: Array | float = ERROR
) -> tuple[Array, Array]:
    """Returns the expected y and the expected improvement below 0, given the trials.

    Args:
        valleys: valleys of `draw_valleys`.
        x: log step sizes of the trials, (n,).
        y: heights of the trials, (n,).
        at: log step sizes to predict, (m,).
        errors: standard error of y of each trial, before its growth with y.

    Returns:
        Expected y and expected improvement, (m,) each.
    """
    covariance = _covariance(x, x) + np.diag((errors + _ERROR_GROWTH * y) ** 2)
    misfit = y - heights(valleys, x)
    log_likelihood = -0.5 * (misfit * np.linalg.solve(covariance, misfit.T).T).sum(1)
    kept = np.argsort(-log_likelihood, kind="stable")[:_N_KEPT]
    weight = np.exp(log_likelihood[kept] - log_likelihood[kept[0]])
    weight /= weight.sum()
    cross = _covariance(x, at)
    gain = np.linalg.solve(covariance, cross)
    mean = heights(valleys[:, kept], at) + misfit[kept] @ gain
    variance = _OFFSET**2 + _MISFIT**2 - (cross * gain).sum(0)
    deviation = np.sqrt(np.maximum(variance, 1e-8))
    z = -mean / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return weight @ mean, weight @ (deviation * (z * ndtr(z) + density))

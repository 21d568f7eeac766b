"""The noise that is left in x while a sampler walks, when the score is perfect.

Let the data be one point x0. Its score is known, ``s*(x, sigma) = (x0 - x) / sigma^2``, and each
update takes away a share eta of the distance to x0 and adds fresh noise. Then ``x - x0`` is normal
at every step, independent in each dimension, and its standard deviation v follows a recursion in
one number; eta is ``epsilon / sigma_L^2``:

    ALS:    v^2 <- (1 - eta)^2 v^2 + 2 eta sigma_i^2                    n_sigma times at each level
    CAS:    v^2 <- (1 - eta)^2 v^2 + beta^2 sigma_{i+1}^2               once at each dilated level

from ``v = sigma_1``. The last update of CAS adds nothing. The recursions hold on any
schedule that the sampler takes, what follows of ALS on geometric ones.

**CAS** keeps to the schedule: ``v = sigma_{i+1}`` after update i (Proposition 2), whatever epsilon
and n_sigma are. After the last update it is ``(1 - eta) sigma_L``.

**ALS** tends, within one level, to the stationary ``s_i^2 = 2 sigma_i^2 / (2 - eta)``, which is
above sigma_i^2. The distance shrinks by the same factor in each update: n updates from v_0 lead to

    v_n^2 = s_i^2 + (1 - eta)^(2n) (v_0^2 - s_i^2).

On a geometric schedule the levels can be summed up as well. With ``q = (1 - eta)^(2 n_sigma)`` and
``g = gamma^2``, l whole levels leave

    u_l = sigma_1^2 (q^l + (1 - q) 2 / (2 - eta) (g^l - q^l) / (g - q)),

and n updates of level l + 1 lead from ``v_0^2 = u_l`` to v_n^2 as above. (Where g = q the last
fraction is ``l g^(l-1)``.) Two things can be read off it:

- The larger of g and q wins. For q < g the noise falls as fast as the schedule and ends up above it
  by the factor ``sqrt(2 (1 - q) / ((2 - eta) (1 - q / g)))``. For q > g it falls by
  ``(1 - eta)^n_sigma`` per level, which is less than the schedule, and lags ever further behind.
  ``q < g`` means ``r > 1``, r as in `scorelib.step_size`: ALS cannot follow at a smaller step.
- It never is on the schedule. Before an update v >= sigma_i, so after it
  ``v^2 >= (1 + eta^2) sigma_i^2``: Proposition 1, for every eta in (0, 2).

References:
    Jolicoeur-Martineau et al. (2021), https://arxiv.org/abs/2009.05475, Figure 1, Propositions 1
    and 2, Appendices F and G (which has the sum within one level).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scorelib.samplers import Als, AnnealedSampler, Cas
from scorelib.schedules import GeometricSchedule, Schedule
from scorelib.step_size import eta

Levels = NDArray[np.float64]


def noise_levels(sampler: AnnealedSampler, schedule: Schedule) -> Levels:
    """Standard deviation of the noise in x through a walk, by the recursion.

    Args:
        sampler: a sampler whose updates interpolate.
        schedule: the trained schedule.

    Returns:
        sigma_1, then the level after each update: shape (updates + 1,), data units.

    Raises:
        InputError: epsilon outside its interval, or CAS on a schedule that is not geometric.
    """
    sampler.require_admissible(schedule)
    variances = [schedule.sigma_1**2]
    for update in sampler.updates(schedule):
        variances.append((1 - update.eta) ** 2 * variances[-1] + update.noise_std**2)
    return np.sqrt(np.array(variances))


def closed_form(sampler: AnnealedSampler, schedule: GeometricSchedule) -> Levels:
    """The same as `noise_levels`, without a recursion: see the head of this module.

    Args:
        sampler: an `Als` or a `Cas`.
        schedule: the trained schedule.

    Returns:
        sigma_1, then the level after each update: shape (updates + 1,), data units.

    Raises:
        InputError: epsilon outside its interval.
    """
    sampler.require_admissible(schedule)
    share = eta(sampler.epsilon, schedule.sigma_L)
    match sampler:
        case Als():
            return _als_closed_form(share, sampler.n_sigma, schedule)
        case Cas():
            final = (1 - share) * schedule.sigma_L
            return np.array([*schedule.dilated(sampler.n_sigma).sigmas, abs(final)])
    raise _unknown(sampler)


def noise_by_level(sampler: AnnealedSampler, schedule: Schedule) -> Levels:
    """The curve of Figure 1: the noise at the start and after every n_sigma updates.

    The last update of CAS is left out: it adds no noise and ends on no level of the schedule.

    Args:
        sampler: an `Als` or a `Cas`.
        schedule: the trained schedule.

    Returns:
        Data units. ALS: sigma_1 and what each level leaves, shape (n_levels + 1,). CAS: the noise
        on arrival at each trained level, shape (n_levels,).

    Raises:
        InputError: epsilon outside its interval.
    """
    levels = noise_levels(sampler, schedule)
    if isinstance(sampler, Cas):
        levels = levels[:-1]
    return levels[:: sampler.n_sigma]


def noise_at(curve: ArrayLike, share: float) -> float:
    """A curve's value when a share of its way is done.

    Between two points the noise is taken to fall geometrically, as the schedule does: exact for
    CAS everywhere, and for ALS after whole levels. Walks of different lengths are compared so, in
    Figure 1 too, whose axis is the step index stretched to 1..L. ALS at a share k/4 is thus the
    noise after level kL/4 (after 58, 116, 174 and 232 of 232 levels).

    Args:
        curve: noise levels at equal distances, all > 0.
        share: share of the way, in [0, 1].
    """
    logs = np.log(curve)
    return math.exp(np.interp(share * (len(logs) - 1), np.arange(len(logs)), logs))


def _als_closed_form(share: float, n_sigma: int, schedule: GeometricSchedule) -> Levels:
    whole, further = np.divmod(np.arange(schedule.n_levels * n_sigma + 1), n_sigma)
    g, kept = schedule.gamma**2, (1 - share) ** 2
    q, rise = kept**n_sigma, 2 / (2 - share)
    after_levels = q**whole + (1 - q) * rise * _sum_of_products(g, q, whole)
    stationary = rise * g**whole
    variances = stationary + kept**further * (after_levels - stationary)
    return np.asarray(schedule.sigma_1 * np.sqrt(variances))


def _sum_of_products(a: float, b: float, n: NDArray[np.int_]) -> Levels:
    """(a^n - b^n) / (a - b) for a > 0, b >= 0, accurate where a and b are nearly equal."""
    larger, smaller = max(a, b), min(a, b)
    ratio = max(smaller / larger, 1e-300)  # 0 would have no logarithm, and makes no difference
    if ratio == 1:
        return n * larger ** (n - 1.0)
    step = math.log(ratio)
    return np.asarray(larger ** (n - 1.0) * np.expm1(n * step) / math.expm1(step))


def _unknown(sampler: AnnealedSampler) -> TypeError:
    return TypeError(f"the noise is known for Als and Cas; got {type(sampler).__name__}")

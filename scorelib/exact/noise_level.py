"""The exact standard deviation of the noise in x during sampling, for a perfect score.

Let the data be a single point x0. Its score is ``s*(x, sigma) = (x0 - x) / sigma^2``. Each update
of a sampler with step size epsilon reduces the distance to x0 by a share
``eta = epsilon / sigma_L^2``, where sigma_L is the lowest noise level, and adds new noise. After
each update ``x - x0`` is normal and independent in each dimension, and its standard deviation v
follows a scalar recursion:

    ALS:    v^2 <- (1 - eta)^2 v^2 + 2 eta sigma_i^2                    n_sigma times at each level
    CAS:    v^2 <- (1 - eta)^2 v^2 + beta^2 sigma_{i+1}^2               once at each level

The initial value is ``v = sigma_1``, the highest noise level. For annealed Langevin sampling (ALS),
sigma_i are the levels of the trained schedule. For consistent annealed sampling (CAS), sigma_i are
the levels of the schedule dilated by n_sigma (`Schedule.dilated`), and beta is defined in
`scorelib.step_size`; the last update of CAS adds no noise. The recursions are valid for every
schedule that the sampler admits; the closed forms of ALS below require a geometric schedule.

**CAS** follows the schedule: after update i, ``v = sigma_{i+1}`` (Proposition 2) for all epsilon
and n_sigma. After the last update, v is ``|1 - eta| sigma_L``.

**ALS** converges, within one level, to the stationary variance ``s_i^2 = 2 sigma_i^2 / (2 - eta)``,
which is larger than sigma_i^2. Each update multiplies the difference ``v^2 - s_i^2`` by
``(1 - eta)^2``, so n updates from v_0 lead to

    v_n^2 = s_i^2 + (1 - eta)^(2n) (v_0^2 - s_i^2).

On a geometric schedule, where ``sigma_{i+1} = gamma sigma_i``, the sum over the levels has a closed
form, too. With ``q = (1 - eta)^(2 n_sigma)`` and ``g = gamma^2``, the variance after all updates of
the first l levels is

    u_l = sigma_1^2 (q^l + (1 - q) 2 / (2 - eta) (g^l - q^l) / (g - q)),

and n updates of level l + 1 lead from ``v_0^2 = u_l`` to v_n^2 as above. (If g = q, the last
fraction is ``l g^(l-1)``.) There are two consequences:

- The larger of g and q determines the rate. If q < g, the noise decreases as fast as the schedule
  and is asymptotically larger by the factor ``sqrt(2 (1 - q) / ((2 - eta) (1 - q / g)))``. If
  q > g, the noise decreases by the factor ``|1 - eta|^n_sigma`` per level, more slowly than the
  schedule, and the ratio of noise to schedule grows without bound. For eta < 1, ``q < g`` is
  equivalent to ``r > 1``, with r of `scorelib.step_size`.
- The noise is always above the schedule. Before an update v >= sigma_i, so after the update
  ``v^2 >= (1 + eta^2) sigma_i^2``. This is Proposition 1, for every eta in (0, 2).

References:
    Jolicoeur-Martineau et al. (2021), https://arxiv.org/abs/2009.05475, Figure 1, Propositions 1
    and 2, Appendices F and G (which has the sum within one level).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scorelib.samplers import Als, AnnealedSampler, ConsistentSampler
from scorelib.schedules import GeometricSchedule, Schedule, as_geometric
from scorelib.step_size import eta

Levels = NDArray[np.float64]


def noise_levels(sampler: AnnealedSampler, schedule: Schedule) -> Levels:
    """Computes the standard deviation of the noise in x during sampling, by the recursion.

    Args:
        sampler: a sampler with updates that interpolate between x and the denoised sample.
        schedule: the trained schedule.

    Returns:
        sigma_1, followed by the noise after each update, shape (updates + 1,), data units.

    Raises:
        InputError: the step size is outside its interval.
    """
    sampler.require_admissible(schedule)
    variances = [schedule.sigma_1**2]
    for update in sampler.updates(schedule):
        variances.append((1 - update.eta) ** 2 * variances[-1] + update.noise_std**2)
    return np.sqrt(np.array(variances))


def closed_form(sampler: AnnealedSampler, schedule: Schedule) -> Levels:
    """Computes the same as `noise_levels` by the closed forms of the module docstring.

    Args:
        sampler: an `Als` or a `ConsistentSampler`.
        schedule: the trained schedule; geometric for an `Als`.

    Returns:
        sigma_1, followed by the noise after each update, shape (updates + 1,), data units.

    Raises:
        InputError: the step size is outside its interval, or the schedule of an `Als` is not
            geometric.
        TypeError: the sampler is of another class.
    """
    sampler.require_admissible(schedule)
    match sampler:
        case Als():
            geometric = as_geometric(schedule, "the closed form of als")
            return _als_closed_form(
                eta(sampler.epsilon, schedule.sigma_L), sampler.n_sigma, geometric
            )
        case ConsistentSampler():
            dilated = schedule.dilated(sampler.n_sigma)
            final = abs(1 - sampler.etas(dilated)[-1]) * schedule.sigma_L
            return np.array([*dilated.sigmas, final])
    raise _unknown(sampler)


def noise_by_level(sampler: AnnealedSampler, schedule: Schedule) -> Levels:
    """Computes the curve of Figure 1: the noise at the start and after every n_sigma updates.

    The last update of CAS is left out: it adds no noise and does not end at a level of the
    schedule.

    Args:
        sampler: an `Als` or a `ConsistentSampler`.
        schedule: the trained schedule.

    Returns:
        Standard deviations in data units. ALS: sigma_1 and the noise after each level, shape
        (n_levels + 1,). CAS: the noise at each trained level, shape (n_levels,).

    Raises:
        InputError: the step size is outside its interval.
    """
    levels = noise_levels(sampler, schedule)
    if isinstance(sampler, ConsistentSampler):
        levels = levels[:-1]
    return levels[:: sampler.n_sigma]


def noise_at(curve: ArrayLike, share: float) -> float:
    """Returns the value of a noise curve after a share of the sampling steps.

    The logarithm of the noise is interpolated linearly between two points of the curve. This is
    exact for CAS everywhere, and for ALS at the end of each level. Curves of different lengths are
    compared at equal shares, as in Figure 1, which stretches the step index to 1..L, where L is the
    number of levels. For ALS, a share of k/4 gives the noise after level kL/4 (after 58, 116, 174
    and 232 of 232 levels).

    Args:
        curve: noise levels at equally spaced steps, (n,), all > 0.
        share: share of the sampling steps, in [0, 1].

    Returns:
        Noise level, in the units of the curve.
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
    """Returns (a^n - b^n) / (a - b) for a > 0, b >= 0, accurate also for nearly equal a and b."""
    larger, smaller = max(a, b), min(a, b)
    ratio = max(smaller / larger, 1e-300)  # avoids log(0); changes no result
    if ratio == 1:
        return n * larger ** (n - 1.0)
    step = math.log(ratio)
    return np.asarray(larger ** (n - 1.0) * np.expm1(n * step) / math.expm1(step))


def _unknown(sampler: AnnealedSampler) -> TypeError:
    return TypeError(
        f"sampler must be an Als or a ConsistentSampler, but got {type(sampler).__name__}"
    )

"""Sampling step sizes: what epsilon means, where it may lie, how it carries over.

Both samplers move ``x`` by ``epsilon (sigma / sigma_L)^2`` times the score at level sigma, that is
by a share ``eta = epsilon / sigma_L^2`` of the way to the expected denoised sample
(Proposition 3). Consistent annealed sampling (CAS) then adds just the noise that restores the
next level, ``sigma_{i+1} beta z``, with

    beta = sqrt(1 - (1 - eta)^2 / gamma^2),

which is real only for ``sigma_L^2 (1 - gamma) < epsilon < sigma_L^2 (1 + gamma)``, gamma being the
ratio of the schedule *as dilated by n_sigma*. Annealed Langevin sampling (ALS) is stable for
``0 < epsilon < 2 sigma_L^2``.

The step that just follows the schedule without any new noise is CAS's lower bound; measured in it,
``r = epsilon / (sigma_L^2 (1 - gamma^(1/n_sigma)))``, good step sizes are nearly the same for all
n_sigma. The paper carries epsilon from n_sigma to n_sigma' by ``beta' = beta sqrt(n / n')`` for CAS
and by ``epsilon' = epsilon n / n'`` for ALS; either rule run backwards is its own inverse.

References:
    Jolicoeur-Martineau et al. (2021), Algorithms 1 and 2, Propositions 2 and 3, Appendix B.
"""

import math

from scorelib.errors import InputError


def eta(epsilon: float, sigma_L: float) -> float:
    """Share of the way to the denoised sample that one update goes, ``epsilon / sigma_L^2``."""
    return epsilon / sigma_L**2


def epsilon_of_langevin_step(step: float) -> float:
    """Our epsilon of a Langevin step that is written ``x + step / 2 score + sqrt(step) z``.

    Ours is ``x + alpha score + sqrt(2 alpha) z``: the same for ``alpha = step / 2``. So annealed
    Langevin sampling as Song and Ermon write it, ``step = epsilon sigma_i^2 / sigma_L^2`` (their
    epsilon is 2e-5, their T our n_sigma), is `Als` at half their epsilon; and a diffusion written
    with ``e^2 / 2`` and ``e``, as Chao et al. do (e = 3.5), is `Langevin` at ``e^2 / 2``.

    Args:
        step: variance of the noise added (at sigma_L, if annealed), data units squared.

    References:
        Song and Ermon (2019), https://arxiv.org/abs/1907.05600, Algorithm 1.
        Chao et al. (2022), https://arxiv.org/abs/2203.14206, Eq. 1.
    """
    return step / 2


def cas_interval(sigma_L: float, gamma: float) -> tuple[float, float]:
    """Open interval of step sizes for which CAS's beta is real and positive.

    Args:
        sigma_L: smallest noise level.
        gamma: ratio of the sampled (dilated) schedule, in (0, 1).
    """
    return sigma_L**2 * (1 - gamma), sigma_L**2 * (1 + gamma)


def als_interval(sigma_L: float) -> tuple[float, float]:
    """Open interval of step sizes for which annealed Langevin sampling is stable, |1 - eta| < 1."""
    return 0.0, 2 * sigma_L**2


def require_inside(epsilon: float, interval: tuple[float, float], what: str) -> None:
    """Raises InputError, showing the interval, unless `epsilon` lies strictly inside it."""
    low, high = interval
    if not low < epsilon < high:
        raise InputError(
            f"epsilon must be in ({low:.4g}, {high:.4g}) for {what}; got {epsilon:.4g}"
        )


def cas_beta(epsilon: float, sigma_L: float, gamma: float) -> float:
    """Noise coefficient beta of Algorithm 2.

    Args:
        epsilon: step size inside `cas_interval(sigma_L, gamma)`.
        sigma_L: smallest noise level.
        gamma: ratio of the sampled (dilated) schedule.

    Raises:
        InputError: epsilon outside its interval.
    """
    require_inside(epsilon, cas_interval(sigma_L, gamma), f"{sigma_L=:g}, {gamma=:.6g}")
    return math.sqrt(1 - ((1 - eta(epsilon, sigma_L)) / gamma) ** 2)


def epsilon_of_cas_beta(
    beta: float, sigma_L: float, gamma: float, *, beyond_eta_1: bool = False
) -> float:
    """The step size whose noise coefficient is `beta`: the inverse of `cas_beta`.

    Args:
        beta: noise coefficient, in (0, 1).
        sigma_L: smallest noise level.
        gamma: ratio of the sampled (dilated) schedule.
        beyond_eta_1: beta is symmetric about eta = 1; True takes the solution with eta > 1.

    Raises:
        InputError: beta outside (0, 1).
    """
    if not 0 < beta < 1:
        raise InputError(f"beta must be in (0, 1); got {beta:.4g}")
    remaining = gamma * math.sqrt(1 - beta**2)
    return sigma_L**2 * (1 + remaining if beyond_eta_1 else 1 - remaining)


def schedule_step(sigma_L: float, gamma: float, n_sigma: int) -> float:
    """The step that just follows the schedule, ``sigma_L^2 (1 - gamma^(1/n_sigma))``: r = 1.

    Args:
        sigma_L: smallest noise level.
        gamma: ratio of the *trained* schedule.
        n_sigma: steps per level, >= 1.
    """
    return sigma_L**2 * (1 - gamma ** (1 / n_sigma))


def relative_step(epsilon: float, sigma_L: float, gamma: float, n_sigma: int) -> float:
    """r: epsilon in units of `schedule_step` (gamma of the trained schedule)."""
    return epsilon / schedule_step(sigma_L, gamma, n_sigma)


def extrapolate_cas(
    epsilon: float, sigma_L: float, gamma: float, *, n_from: int, n_to: int
) -> float:
    """Carries a CAS step size to another n_sigma by ``beta' = beta sqrt(n / n')``.

    Args:
        epsilon: step size for `n_from`, inside its interval.
        sigma_L: smallest noise level.
        gamma: ratio of the trained schedule.
        n_from: n_sigma the step size was found at.
        n_to: n_sigma to carry it to; swapping the two inverts the rule.

    Raises:
        InputError: epsilon outside its interval, or a beta' of 1 or more.

    References:
        Jolicoeur-Martineau et al. (2021), Appendix B.
    """
    gamma_from, gamma_to = gamma ** (1 / n_from), gamma ** (1 / n_to)
    beta = cas_beta(epsilon, sigma_L, gamma_from) * math.sqrt(n_from / n_to)
    beyond = eta(epsilon, sigma_L) > 1
    return epsilon_of_cas_beta(beta, sigma_L, gamma_to, beyond_eta_1=beyond)


def extrapolate_als(epsilon: float, *, n_from: int, n_to: int) -> float:
    """Carries an ALS step size to another n_sigma by ``epsilon' = epsilon n / n'`` (Appendix B)."""
    return epsilon * n_from / n_to


def round_significant(value: float, digits: int = 2) -> float:
    """The value rounded to significant decimal digits (the paper states epsilon to two)."""
    return float(f"{value:.{digits - 1}e}")

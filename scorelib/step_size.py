"""Sampling step sizes epsilon: admissible intervals, relative units and extrapolation in n_sigma.

Both samplers move ``x`` by ``epsilon (sigma / sigma_L)^2`` times the score at level sigma. This
moves ``x`` by a share ``eta = epsilon / sigma_L^2`` of the way to the expected denoised sample
(Proposition 3). Consistent annealed sampling (CAS) then adds the noise ``sigma_{i+1} beta z`` that
brings the noise in ``x`` to the next level, with

    beta = sqrt(1 - (1 - eta)^2 / gamma^2).

Beta is real only for ``sigma_L^2 (1 - gamma) < epsilon < sigma_L^2 (1 + gamma)``, where gamma is
the ratio of the schedule *dilated by n_sigma*; where the ratios of a schedule vary, so does beta,
and the smallest ratio bounds epsilon. Annealed Langevin sampling (ALS) is stable for
``0 < epsilon < 2 sigma_L^2``.

The lower bound of CAS is the step that follows the schedule without any new noise. In units of this
step, ``r = epsilon / (sigma_L^2 (1 - gamma^(1/n_sigma)))`` with gamma of the trained schedule, good
step sizes are nearly the same for all n_sigma. The paper extrapolates epsilon from n_sigma = n to
n' by ``beta' = beta sqrt(n / n')`` for CAS and by ``epsilon' = epsilon n / n'`` for ALS. Swapping n
and n' inverts either rule.

References:
    Jolicoeur-Martineau et al. (2021), Algorithms 1 and 2, Propositions 2 and 3, Appendix B.
"""

import math

from scorelib.errors import InputError


def eta(epsilon: float, sigma_L: float) -> float:
    """Returns ``epsilon / sigma_L^2``, the share of the way to the denoised sample per update.

    Args:
        epsilon: step size, data units squared.
        sigma_L: smallest noise level, data units.

    References:
        Jolicoeur-Martineau et al. (2021), Proposition 3.
    """
    return epsilon / sigma_L**2


def epsilon_of_langevin_step(step: float) -> float:
    """Converts the step of a Langevin update ``x + step / 2 score + sqrt(step) z`` to epsilon.

    The samplers here use ``x + alpha score + sqrt(2 alpha) z``, which is the same update for
    ``alpha = step / 2``. Song and Ermon's annealed Langevin sampling has ``step = epsilon
    sigma_i^2 / sigma_L^2`` (with epsilon = 2e-5; their T is n_sigma here) and is therefore `Als`
    with half their epsilon. Chao et al. write a diffusion with ``e^2 / 2`` and ``e`` (e = 3.5),
    which is `Langevin` with epsilon = ``e^2 / 2``.

    Args:
        step: variance of the noise added by an update (at sigma_L, if annealed), data units
            squared.

    References:
        Song and Ermon (2019), https://arxiv.org/abs/1907.05600, Algorithm 1.
        Chao et al. (2022), https://arxiv.org/abs/2203.14206, Eq. 1.
    """
    return step / 2


def cas_interval(sigma_L: float, gamma: float) -> tuple[float, float]:
    """Returns the open interval of step sizes for which beta of CAS is real and positive.

    Args:
        sigma_L: smallest noise level, data units.
        gamma: ratio of the sampled (dilated) schedule, in (0, 1).

    Returns:
        Lower and upper bound of epsilon, data units squared.
    """
    return sigma_L**2 * (1 - gamma), sigma_L**2 * (1 + gamma)


def cas_r_interval(gamma: float) -> tuple[float, float]:
    """Returns the open interval of r for which beta of CAS is real and positive.

    With ``eta = r (1 - gamma)``, beta is real for ``|1 - eta| <= gamma``. The interval shrinks with
    gamma, so the smallest ratio of a schedule bounds r for all its levels.

    Args:
        gamma: smallest ratio of the sampled (dilated) schedule, in (0, 1).
    """
    return 1.0, (1 + gamma) / (1 - gamma)


def als_interval(sigma_L: float) -> tuple[float, float]:
    """Returns the open interval of step sizes for which ALS is stable, |1 - eta| < 1.

    Args:
        sigma_L: smallest noise level, data units.

    Returns:
        Lower and upper bound of epsilon, data units squared.
    """
    return 0.0, 2 * sigma_L**2


def require_inside(
    step_size: float, interval: tuple[float, float], what: str, name: str = "epsilon"
) -> None:
    """Raises InputError unless a step size lies strictly inside the interval.

    Args:
        step_size: step size.
        interval: lower and upper bound.
        what: name of the sampler or setting with this interval, for the error message.
        name: name of the step size.
    """
    low, high = interval
    if not low < high:
        raise InputError(f"{name} must have an admissible value, but has none for {what}")
    if not low < step_size < high:
        least, most, got = _told_apart(low, high, step_size)
        raise InputError(f"{name} must be in ({least}, {most}) for {what}; got {got}")


def _told_apart(*numbers: float) -> list[str]:
    """Returns numbers as text, with four digits or as many as tell different numbers apart."""
    for digits in range(4, 17):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(set(numbers)):
            return texts
    return [repr(number) for number in numbers]


def cas_beta(epsilon: float, sigma_L: float, gamma: float) -> float:
    """Returns the noise coefficient beta of CAS.

    Args:
        epsilon: step size inside `cas_interval(sigma_L, gamma)`, data units squared.
        sigma_L: smallest noise level, data units.
        gamma: ratio of the sampled (dilated) schedule, in (0, 1).

    Returns:
        Beta in (0, 1].

    Raises:
        InputError: `epsilon` is outside its interval.

    References:
        Jolicoeur-Martineau et al. (2021), Algorithm 2.
    """
    require_inside(epsilon, cas_interval(sigma_L, gamma), f"{sigma_L=:g}, {gamma=:.6g}")
    return math.sqrt(1 - ((1 - eta(epsilon, sigma_L)) / gamma) ** 2)


def epsilon_of_cas_beta(
    beta: float, sigma_L: float, gamma: float, *, beyond_eta_1: bool = False
) -> float:
    """Returns the step size with noise coefficient `beta`; the inverse of `cas_beta`.

    Args:
        beta: noise coefficient, in (0, 1).
        sigma_L: smallest noise level, data units.
        gamma: ratio of the sampled (dilated) schedule, in (0, 1).
        beyond_eta_1: whether to return the solution with eta > 1. There are two solutions, since
            beta is symmetric about eta = 1.

    Returns:
        Epsilon, data units squared.

    Raises:
        InputError: `beta` is outside (0, 1).
    """
    if not 0 < beta < 1:
        raise InputError(f"beta must be in (0, 1); got {beta:.4g}")
    remaining = gamma * math.sqrt(1 - beta**2)
    return sigma_L**2 * (1 + remaining if beyond_eta_1 else 1 - remaining)


def schedule_step(sigma_L: float, gamma: float, n_sigma: int) -> float:
    """Returns the step size with r = 1, which follows the schedule without adding noise.

    The step size is ``sigma_L^2 (1 - gamma^(1/n_sigma))``, in data units squared.

    Args:
        sigma_L: smallest noise level, data units.
        gamma: ratio of the *trained* schedule, in (0, 1).
        n_sigma: number of steps per level, >= 1.
    """
    return sigma_L**2 * (1 - gamma ** (1 / n_sigma))


def relative_step(epsilon: float, sigma_L: float, gamma: float, n_sigma: int) -> float:
    """Returns r, the step size `epsilon` in units of `schedule_step`.

    Args:
        epsilon: step size, data units squared.
        sigma_L: smallest noise level, data units.
        gamma: ratio of the *trained* schedule, in (0, 1).
        n_sigma: number of steps per level, >= 1.
    """
    return epsilon / schedule_step(sigma_L, gamma, n_sigma)


def extrapolate_cas(
    epsilon: float, sigma_L: float, gamma: float, *, n_from: int, n_to: int
) -> float:
    """Extrapolates a CAS step size to another n_sigma by ``beta' = beta sqrt(n / n')``.

    Args:
        epsilon: step size for `n_from`, inside its interval, data units squared.
        sigma_L: smallest noise level, data units.
        gamma: ratio of the *trained* schedule, in (0, 1).
        n_from: n_sigma at which `epsilon` is used, >= 1.
        n_to: n_sigma of the returned step size, >= 1. Swapping `n_from` and `n_to` inverts the
            rule.

    Returns:
        Step size for `n_to`, data units squared.

    Raises:
        InputError: `epsilon` is outside its interval, or beta' is 1 or more.

    References:
        Jolicoeur-Martineau et al. (2021), Appendix B.
    """
    gamma_from, gamma_to = gamma ** (1 / n_from), gamma ** (1 / n_to)
    beta = cas_beta(epsilon, sigma_L, gamma_from) * math.sqrt(n_from / n_to)
    beyond = eta(epsilon, sigma_L) > 1
    return epsilon_of_cas_beta(beta, sigma_L, gamma_to, beyond_eta_1=beyond)


def extrapolate_als(epsilon: float, *, n_from: int, n_to: int) -> float:
    """Extrapolates an ALS step size to another n_sigma by ``epsilon' = epsilon n / n'``.

    Args:
        epsilon: step size for `n_from`, data units squared.
        n_from: n_sigma at which `epsilon` is used, >= 1.
        n_to: n_sigma of the returned step size, >= 1.

    References:
        Jolicoeur-Martineau et al. (2021), Appendix B.
    """
    return epsilon * n_from / n_to


def round_significant(value: float, digits: int = 2) -> float:
    """Returns the value rounded to significant decimal digits.

    Args:
        value: any finite number.
        digits: number of significant digits, >= 1; the paper gives epsilon with two digits.
    """
    return float(f"{value:.{digits - 1}e}")

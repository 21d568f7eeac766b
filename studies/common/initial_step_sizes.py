"""Initial values for searches over the step size of a sampler."""

from scorelib.samplers import Als, AnnealedSampler, Cas, CasInR
from scorelib.schedules import Schedule
from scorelib.step_size import round_significant, schedule_step

SAMPLERS: dict[str, type[AnnealedSampler]] = {"als": Als, "cas": Cas, "cas_r": CasInR}
"""Samplers whose step size studies search, by name."""

PAPERS_SAMPLERS = ("als", "cas")
"""Samplers of "Adversarial score matching and improved sampling for image generation"."""

START_R = {"als": 4.8, "cas": 1.5, "cas_r": 1.5}
"""Initial step sizes by sampler, in units r of the schedule-following step.

The values are near the best of all measurements by the authors. They only start a search.
"""


def initial_step_size(name: str, n_sigma: int, schedule: Schedule) -> float:
    """Returns the step size with which a search starts, rounded to two significant digits.

    Args:
        name: sampler, a key of `SAMPLERS`.
        n_sigma: steps per noise level, >= 1.
        schedule: noise schedule on which the network was trained.

    Returns:
        The step size: epsilon at sigma_L, in squared data units, or r. Where the ratios of the
        schedule vary, ALS starts from their geometric mean and CAS from the smallest, which bounds
        its epsilon. If the schedule is so coarse that the value of `START_R` lies beyond half the
        upper end of the admissible interval, the middle of that interval is returned, with as many
        digits as it takes to be inside.

    Raises:
        InputError: the schedule has a single level.
    """
    sampler = SAMPLERS[name].of(START_R[name], n_sigma)
    low, high = sampler.interval(schedule)
    gamma, wished = schedule.gamma_min, START_R[name]
    if name == "als":
        gamma = (schedule.sigma_L / schedule.sigma_1) ** (1 / (schedule.n_levels - 1))
    if sampler.STEP_SIZE == "epsilon":
        wished *= schedule_step(schedule.sigma_L, gamma, n_sigma)
    # On a very coarse schedule the preferred start lies outside the admissible interval.
    value = wished if wished < high / 2 else (low + high) / 2
    rounded = (round_significant(value, digits) for digits in range(2, 18))
    return next(step_size for step_size in rounded if low < step_size < high)

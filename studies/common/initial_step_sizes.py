"""Initial values for searches over the step size of a sampler."""

from scorelib.samplers import Als, AnnealedSampler, Cas
from scorelib.schedules import Schedule, as_geometric
from scorelib.step_size import round_significant, schedule_step

SAMPLERS: dict[str, type[AnnealedSampler]] = {"als": Als, "cas": Cas}

START_R = {"als": 4.8, "cas": 1.5}
"""Initial step sizes by sampler, in units r of the schedule-following step.

The values are near the best of all measurements by the authors. They only start a search.
"""


def initial_step_size(name: str, n_sigma: int, schedule: Schedule) -> float:
    """Returns the step size epsilon with which a search starts, rounded to two significant digits.

    Args:
        name: sampler, "als" or "cas".
        n_sigma: steps per noise level, >= 1.
        schedule: geometric noise schedule on which the network was trained.

    Returns:
        The step size at sigma_L, in squared data units. If the schedule is so coarse that the value
        of `START_R` lies beyond half the upper end of the admissible interval, the middle of that
        interval is returned.

    Raises:
        InputError: the schedule is not geometric.
    """
    low, high = SAMPLERS[name](epsilon=1.0, n_sigma=n_sigma).interval(schedule)
    gamma = as_geometric(schedule, "a first step size").gamma
    wished = START_R[name] * schedule_step(schedule.sigma_L, gamma, n_sigma)
    # On a very coarse schedule the preferred start lies outside the admissible interval.
    return round_significant(wished if wished < high / 2 else (low + high) / 2)

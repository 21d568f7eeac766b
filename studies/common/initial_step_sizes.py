"""Where searches of step sizes begin."""

from scorelib.samplers import Als, AnnealedSampler, Cas
from scorelib.schedules import Schedule, as_geometric
from scorelib.step_size import round_significant, schedule_step

SAMPLERS: dict[str, type[AnnealedSampler]] = {"als": Als, "cas": Cas}

START_R = {"als": 4.8, "cas": 1.5}
"""First step sizes, in units of the schedule-following step: near the best of all the authors' own
measurements, and a start only."""


def initial_step_size(name: str, n_sigma: int, schedule: Schedule) -> float:
    """The step size a search of a sampler begins with, to two digits.

    Args:
        name: "als" or "cas".
        n_sigma: steps per noise level.
        schedule: the trained schedule.

    Raises:
        InputError: the schedule is not geometric.
    """
    low, high = SAMPLERS[name](epsilon=1.0, n_sigma=n_sigma).interval(schedule)
    gamma = as_geometric(schedule, "a first step size").gamma
    wished = START_R[name] * schedule_step(schedule.sigma_L, gamma, n_sigma)
    # On a very coarse schedule the wished start lies outside what theory admits.
    return round_significant(wished if wished < high / 2 else (low + high) / 2)

"""How far each stage of a study is: rate, time left with its error, and cost.

The time left of a stage is the sum of the times of n jobs, predicted from k jobs that are measured.
If the times of jobs are independent with standard deviation s (as a share of their mean), the sum
differs from its prediction by

    1.96 s sqrt(1 / n + 1 / k)

as a share of the prediction, in 95 of 100 cases. Jobs are compared at equal work: by their time per
multiply-add.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.results.costs import JobCost
from tuning.scheduling.amounts import duration
from tuning.scheduling.forecast import StageForecast, total

_QUANTILE = 1.96
_LEAST_MEASURED = 3
ASSUMED_FACTOR = 3
"""Factor by which a time may be wrong whose rate is assumed, not measured (`scheduling.rates`)."""


@dataclass(frozen=True)
class StageLine:
    """A stage, or all stages together.

    Attributes:
        stage: name of the stage, or "all".
        n_done: number of finished jobs.
        n_jobs: number of all jobs.
        rate: jobs finished per minute by the launch that runs now, as text; "" if none does.
        left: time left with its error, as text; "" if no job is left.
        spent: device time so far, s.
        to_come: device time to come, s.
    """

    stage: str
    n_done: int
    n_jobs: int
    rate: str
    left: str
    spent: float
    to_come: float


def stage_lines(
    rows: Sequence[StageForecast], costs: Iterable[JobCost], status: Mapping[str, Any] | None
) -> list[StageLine]:
    """Returns a line for each stage, and one for all of them at the end.

    Args:
        rows: forecast of the study, by stage.
        costs: costs of the finished jobs.
        status: status of the launch that runs now; None if none does.
    """
    by_stage: dict[str, list[JobCost]] = {}
    for cost in costs:
        by_stage.setdefault(cost.cost.stage, []).append(cost)
    now = {stage["stage"]: stage for stage in status["stages"]} if status else {}
    lines, variance = [], 0.0
    for row in rows:
        measured, at = by_stage.get(row.stage, []), now.get(row.stage)
        share = relative_error([cost for cost in measured if cost.pace], row.n_to_run)
        seconds = at["seconds_left"] if at else row.hours * 3600
        is_estimate = at["is_estimate"] if at else row.is_estimate
        variance += (seconds * (share or 0.0)) ** 2
        rate = f"{at['per_minute']:.3g}/min" if at and at["per_minute"] else ""
        left = with_error(seconds, share, is_estimate) if row.n_to_run else ""
        spent = sum(cost.cost.seconds for cost in measured)
        lines.append(
            StageLine(row.stage, row.n_stored, row.n_jobs, rate, left, spent, row.hours * 3600)
        )
    whole = total(rows)
    seconds = status["seconds_left"] if status else whole.hours * 3600
    share = math.sqrt(variance) / seconds if seconds and variance else None
    is_estimate = status["is_estimate"] if status else whole.is_estimate
    left = with_error(seconds, share, is_estimate) if whole.n_to_run else ""
    spent, to_come = sum(line.spent for line in lines), sum(line.to_come for line in lines)
    return [*lines, StageLine("all", whole.n_stored, whole.n_jobs, "", left, spent, to_come)]


def relative_error(measured: Sequence[JobCost], n_left: int) -> float | None:
    """Returns the half width of the 95 % interval of a predicted time, as a share of the time.

    Args:
        measured: costs of the measured jobs of a stage, each with a pace.
        n_left: number of jobs whose total time is predicted.

    Returns:
        The share; None if no job is left or fewer than three are measured.
    """
    if n_left < 1 or len(measured) < _LEAST_MEASURED:
        return None
    alike: dict[str, list[float]] = {}
    for cost in measured:
        alike.setdefault(cost.rate_name, []).append(cost.pace or 0.0)
    ratios = [pace / statistics.fmean(of) for of in alike.values() for pace in of]
    spread = statistics.stdev(ratios)
    return _QUANTILE * spread * math.sqrt(1 / n_left + 1 / len(ratios))


def with_error(seconds: float, share: float | None, is_estimate: bool) -> str:
    """Formats a time left with its error, such as "1h20m ± 6m00s".

    Args:
        seconds: time left, s.
        share: half width of its 95 % interval as a share of the time; None if unknown.
        is_estimate: whether the time rests on an assumed rate.
    """
    if is_estimate:
        low, high = seconds / ASSUMED_FACTOR, seconds * ASSUMED_FACTOR
        return f"est. {duration(low)} to {duration(high)}"
    if share is None:
        return f"about {duration(seconds)}"
    return f"{duration(seconds)} ± {duration(seconds * share)}"

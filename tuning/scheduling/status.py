"""The status of a launch as plain data: for pages, for other programs and for notices."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuning.scheduling.forecast import StageForecast, total
from tuning.scheduling.scheduler import Scheduler
from tuning.store.history import now

_MOST_FAILURES = 50

Status = dict[str, Any]
"""A status, as `status_of` describes it."""


def status_of(
    scheduler: Scheduler,
    rows: Sequence[StageForecast],
    *,
    started: str,
    minutes: float,
    seconds_left: float,
    spread: Callable[[StageForecast], int],
    gpus: tuple[float, float] | None,
) -> Status:
    """Returns the status of a launch as JSON.

    Args:
        scheduler: scheduler of the study.
        rows: forecast of the study, by stage.
        started: time of the start of the launch, in ISO 8601.
        minutes: time since the start, > 0.
        seconds_left: expected time until the end.
        spread: function that returns how many jobs of a stage run at the same time.
        gpus: GPUs in use, and in all; None without GPUs.

    Returns:
        "date", "started", "stages" (with "stage", "done", "jobs", finished "per_minute",
        "seconds_left" and whether that "is_estimate"), "running" jobs with their progress,
        unfinished "searches" with their best values, the latest "failures" with "cause" and
        consequence ("then"), "n_failures", "gpus", "seconds_left" and "is_estimate".
    """
    failures = list(scheduler.failures.items())
    running = [(job, at) for job, at in list(scheduler.progress.values()) if at is not None]
    return {
        "date": now(),
        "started": started,
        "stages": [
            {
                "stage": row.stage, "done": row.n_stored, "jobs": row.n_jobs,
                "per_minute": scheduler.finished_here[row.stage] / minutes,
                "seconds_left": row.hours * 3600 / spread(row), "is_estimate": row.is_estimate,
            }
            for row in rows
        ],
        "running": [
            {"job": job.title(), "done": at.done, "total": at.total, "unit": at.unit}
            for job, at in running
        ],
        "searches": list(_searches(scheduler)),
        "failures": [
            {
                "job": failure.job.title(), "stage": failure.job.stage, "key": key,
                "cause": " ".join(failure.cause.split()), "then": failure.then,
            }
            for key, failure in failures[-_MOST_FAILURES:]
        ],
        "n_failures": len(failures),
        "gpus": list(gpus) if gpus else None,
        "seconds_left": seconds_left,
        "is_estimate": total(rows).is_estimate,
    }  # fmt: skip


def _searches(scheduler: Scheduler) -> Sequence[Mapping[str, Any]]:
    """Returns the unfinished searches that have a result."""
    return [
        {
            "search": name, "best": run.best_so_far.value, "trials": run.search.n_trials,
            "tried": sum(trial.result is not None for trial in run.trials),
        }
        for name, run in scheduler.searches.items()
        if run.best_so_far is not None and not run.is_complete
    ]  # fmt: skip

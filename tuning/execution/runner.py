"""The runner: executes the jobs of a scheduler in Ray Tune.

`Tuner.restore` is not used: after any interruption a new Tuner runs the jobs that are not yet in
the store. If a `fit()` ends early, for whatever reason, the supervising loop starts another, as
long as there is progress. When Ray's memory monitor kills a worker, the whole `fit()` ends; the
next `fit()` then runs half as many jobs at a time.
"""

import contextlib
import logging
from typing import Any

from tuning.drivers.scratch import scratch_folder
from tuning.execution import actor_cache
from tuning.execution.ray_import import ray, tune
from tuning.execution.resources import Capacity, GpuShares, bundle
from tuning.execution.searcher import JobSearcher, NotPickled, TrialEnds
from tuning.execution.stop import StopRequest
from tuning.execution.trainable import Execution, JobTrainable
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.documents import StoreError

_BARREN_FITS = 3
_MOST_PENDING = 1000


def run_until_complete(
    scheduler: Scheduler,
    execution: Execution,
    capacity: Capacity,
    stop: StopRequest,
    *,
    shares: GpuShares | None = None,
    max_concurrent: int | None = None,
) -> None:
    """Runs all jobs of a scheduler in Ray until the study is complete, stuck or stopped.

    The run counts as stuck after three consecutive Tune runs in which no job finished.

    Args:
        scheduler: scheduler that hands out the jobs.
        execution: settings of the execution, sent to the workers.
        capacity: numbers of CPUs and GPUs of the cluster.
        stop: request that ends the run early once it is set.
        shares: shares of a GPU that jobs request; None for the defaults.
        max_concurrent: maximum number of jobs at a time; None for the number of CPUs.

    Raises:
        InputError: if the user must fix a problem first: the store is full or cannot be read, or a
            node of the cluster cannot access the store or the data.
    """
    concurrent = max_concurrent or min(_MOST_PENDING, max(2, int(capacity.cpus)))
    has_gpus = capacity.gpus > 0
    barren = 0
    while barren < _BARREN_FITS and not stop.is_set:
        finished = scheduler.finished_here.total()
        searcher = JobSearcher(scheduler, execution, (shares or GpuShares()) if has_gpus else None)
        try:
            _fit(searcher, stop, concurrent)
        except (RuntimeError, tune.error.TuneError, ray.exceptions.RayError) as error:
            if stop.is_set:  # a Ray that has ended
                break
            warning = "Ray Tune ended early: %s"
            if isinstance(error.__cause__, ray.exceptions.OutOfMemoryError) and concurrent > 1:
                concurrent, barren = concurrent // 2, -1
                warning = f"memory ran out; continuing with {concurrent} jobs at a time (%s)"
            logging.getLogger(__name__).warning(warning, _in_one_line(error))
        if searcher.refusal:
            with contextlib.suppress(StoreError):  # the refusal already reports the store's error
                scheduler.forget_running()
            raise searcher.refusal
        scheduler.forget_running()
        if not stop.is_set and scheduler.next_job() is Wait.FINISHED:
            return
        scheduler.forget_running()
        barren = 0 if scheduler.finished_here.total() > finished else barren + 1


def _in_one_line(error: Exception) -> str:
    """Returns the first line of an error of Ray, or the last line if it is a traceback."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if lines[0].startswith("Traceback") else 0]


def _fit(searcher: JobSearcher, stop: StopRequest, concurrent: int) -> None:
    actor_cache.install()
    with scratch_folder("tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(JobTrainable, _resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=-1,
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_name_creator=lambda trial: str(trial.config["key"])[:12],
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                storage_path=str(folder),
                name="study",
                stop=_Stopper(stop, searcher),
                callbacks=[TrialEnds(searcher)],
                progress_reporter=_NoReporter(),
                verbose=0,
            ),
        )
        tuner.fit()


def _resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    return tune.PlacementGroupFactory([bundle(config["gpus"])])


class _NoReporter(NotPickled, tune.ProgressReporter):  # type: ignore[misc]
    """A reporter that reports nothing: that of Tune would clear the output of a notebook's cell."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: str) -> None:
        pass


class _Stopper(NotPickled, tune.Stopper):  # type: ignore[misc]
    """A Tune stopper that stops all trials once a stop is requested or the searcher refuses."""

    def __init__(self, request: StopRequest, searcher: JobSearcher) -> None:
        self._request, self._searcher = request, searcher

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.stop_all()

    def stop_all(self) -> bool:
        return self._request.is_set or self._searcher.refusal is not None

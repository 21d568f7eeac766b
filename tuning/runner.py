"""The runner: one Ray Tune run that works a scheduler off.

Tune's search algorithm is a thin bridge: it asks the scheduler for the next job whenever a trial
can start, and reports what became of it. `Tuner.restore` is not used: after any interruption a
fresh Tuner runs what the store says is left. Whatever ends a `fit()` early (Ray's own memory
monitor can), the supervising loop starts another, as long as there is progress.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from scorelib.errors import InputError
from tuning import actor_cache
from tuning.jobs import Progress
from tuning.ray_import import Searcher, ray, tune
from tuning.resources import Capacity, bundle, gpu_share
from tuning.scheduler import Scheduler, Wait
from tuning.trainable import Execution, JobTrainable

_WORKER_DEATHS = 2
_BARREN_FITS = 3
_MOST_PENDING = 1000
_OBJECT_STORE_BYTES = 200_000_000  # nothing of ours travels through it


@dataclass(frozen=True)
class ClusterOptions:
    """Which Ray to use.

    Attributes:
        address: of a running cluster, "auto" on one of its nodes; None for one of our own here.
        cpus: CPUs of our own Ray; None for those found.
        gpus: GPUs of our own Ray; None for those found.
    """

    address: str | None = None
    cpus: int | None = None
    gpus: int | None = None


class StopRequest:
    """Set by the first Ctrl-C or SIGTERM: running jobs stop at their next report."""

    def __init__(self) -> None:
        self.signal: int | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Takes SIGINT and SIGTERM while active; a second SIGINT interrupts at once."""
        previous = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


@contextlib.contextmanager
def ray_session(options: ClusterOptions) -> Iterator[Capacity]:
    """Ray, connected to or started; ended, with all it started, on leaving.

    Yields:
        The most it can give, counting what its autoscaler could add.

    Raises:
        InputError: no cluster answers at the address.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"ray\..*")
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if options.address is None:
            _set_token(folder)
            ray.init(
                object_store_memory=_OBJECT_STORE_BYTES,
                num_cpus=options.cpus, num_gpus=options.gpus, include_dashboard=False,
                _temp_dir=str(folder), **quiet,
            )  # fmt: skip
        else:
            try:
                ray.init(address=options.address, **quiet)
            except (ConnectionError, RuntimeError) as error:
                raise InputError(
                    f"--address must name a running Ray cluster; {options.address!r} does not "
                    f"answer: {error}"
                ) from error
        yield _capacity()
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _set_token(folder: Path) -> None:
    """A token of this session's own: Ray's default one is readable by every user of the machine."""
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)


def _capacity() -> Capacity:
    now = ray.cluster_resources()
    could_be = ray._private.state.state.get_max_resources_from_cluster_config() or {}
    cpus, gpus = (max(now.get(kind, 0), could_be.get(kind, 0)) for kind in ("CPU", "GPU"))
    return Capacity(cpus=float(cpus), gpus=float(gpus))


def work_off(
    scheduler: Scheduler,
    execution: Execution,
    capacity: Capacity,
    stop: StopRequest,
    max_concurrent: int | None = None,
) -> None:
    """Runs all jobs a scheduler hands out, in Ray, until it is complete, stuck or stopped.

    Args:
        scheduler: what to run.
        execution: how workers run it.
        capacity: what the cluster can give.
        stop: ends the run early when set.
        max_concurrent: most jobs at a time; None for as many as the CPUs or GPUs hold.
    """
    concurrent = max_concurrent or min(_MOST_PENDING, max(2, int(capacity.cpus)))
    barren = 0
    while barren < _BARREN_FITS and stop.signal is None:
        finished = len(scheduler.finished_here)
        try:
            _fit(scheduler, execution, capacity, stop, concurrent)
        except (RuntimeError, tune.error.TuneError) as error:
            logging.getLogger(__name__).warning("Ray Tune ended early: %s", error)
        scheduler.forget_running()
        if stop.signal is None and scheduler.next_job() is Wait.FINISHED:
            return
        scheduler.forget_running()
        barren = 0 if len(scheduler.finished_here) > finished else barren + 1


def _fit(
    scheduler: Scheduler,
    execution: Execution,
    capacity: Capacity,
    stop: StopRequest,
    concurrent: int,
) -> None:
    actor_cache.install()
    folder = tempfile.mkdtemp(prefix="tune-")
    try:
        tuner = tune.Tuner(
            tune.with_resources(JobTrainable, _resources),
            tune_config=tune.TuneConfig(
                search_alg=_Bridge(scheduler, execution, has_gpus=capacity.gpus > 0),
                num_samples=-1,
                max_concurrent_trials=concurrent,
                reuse_actors=True,
                trial_name_creator=lambda trial: str(trial.config["key"])[:12],
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                storage_path=folder,
                name="study",
                stop=_Stopper(stop),
                failure_config=tune.FailureConfig(max_failures=_WORKER_DEATHS),
                verbose=0,
            ),
        )
        tuner.fit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    return tune.PlacementGroupFactory([bundle(config["gpus"])])


class _NotPickled:
    """Lives in the driver only: Tune pickles its configuration, which is never read back."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())


class _Stopper(_NotPickled, tune.Stopper):  # type: ignore[misc]
    """Stops all trials once a stop is requested."""

    def __init__(self, request: StopRequest) -> None:
        self._request = request

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.stop_all()

    def stop_all(self) -> bool:
        return self._request.signal is not None


class _Bridge(_NotPickled, Searcher):  # type: ignore[misc]
    """Tune's search algorithm: hands out the scheduler's jobs and passes on what they report."""

    def __init__(self, scheduler: Scheduler, execution: Execution, *, has_gpus: bool) -> None:
        super().__init__(metric="done", mode="max")
        self._scheduler, self._execution, self._has_gpus = scheduler, execution, has_gpus
        self._keys: dict[str, str] = {}

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        job = self._scheduler.next_job()
        if job is Wait.FINISHED:
            return str(Searcher.FINISHED)
        if isinstance(job, Wait):
            return None
        self._keys[trial_id] = job.key
        gpus = gpu_share(job) if self._has_gpus else 0.0
        return self._execution.config(job, gpus=gpus)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if "progress" in result:
            progress = Progress(*result["progress"])
            self._scheduler.report_progress(self._keys[trial_id], progress)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        key = self._keys.pop(trial_id)
        outcome = (result or {}).get("outcome")
        if outcome == "stored":
            self._scheduler.report_stored(key)
        elif outcome == "missing":
            self._scheduler.report_missing_input(key)
        elif outcome == "error":
            assert result is not None
            logging.getLogger(__name__).info("%s", result["traceback"])
            self._scheduler.report_failure(key, str(result["cause"]))
        elif error:
            self._scheduler.report_failure(key, "the worker process died")
        else:
            self._scheduler.report_stopped(key)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the ledger is in the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Never restored: see the module's docstring."""

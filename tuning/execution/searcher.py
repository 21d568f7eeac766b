"""The Tune search algorithm that passes jobs from the scheduler to Tune and reports their outcomes.

A trial of Tune is one run of one job. A trial that ends without a result is reported with its
cause, and the scheduler hands its job out again. The loss of a node is not caused by the job. A
dead worker (killed, out of host memory, ended by its time-out) or an exception may be caused by the
job. Tune itself retries a trial only if its node was drained first (preemption with notice).
"""

import logging
import time
from pathlib import Path
from typing import Any

from scorelib.errors import InputError
from tuning.execution.ray_import import Searcher, tune
from tuning.execution.resources import GpuShares, gpu_share
from tuning.execution.trainable import Execution
from tuning.jobs import Job, Progress
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.documents import StoreReadError

_PATIENCE_SECONDS = 60.0  # time for which an unreadable store is tolerated

_SIGN_OF_A_LOST_NODE = "because its node has died"
"""Part of Ray's error message for a worker whose node was killed, disconnected, drained or ended by
SIGTERM. Ray gives this cause only after it has missed the node's heartbeats; see `ray_import` for
the time that it waits."""


class NotPickled:
    """A base class of objects that are replaced by a plain object when Tune pickles them.

    Such objects are used only in the driver. Tune pickles its configuration, but the pickled
    configuration is never read.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())


class JobSearcher(NotPickled, Searcher):  # type: ignore[misc]
    """A search algorithm for Tune that hands out the scheduler's jobs and forwards their reports.

    Args:
        scheduler: scheduler that provides the jobs.
        execution: settings of the execution, sent to the workers.
        shares: shares of a GPU that jobs request; None if there are no GPUs.
    """

    def __init__(
        self, scheduler: Scheduler, execution: Execution, shares: GpuShares | None
    ) -> None:
        super().__init__(metric="done", mode="max")
        self._scheduler, self._execution, self._shares = scheduler, execution, shares
        self._jobs: dict[str, Job] = {}
        self._heard: dict[str, float] = {}
        self._unreadable_since: float | None = None
        self.refusal: InputError | None = None
        """The error that the user must fix before more jobs can run; None if there is none."""

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Does nothing, because the jobs come from the scheduler."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the config of the next job.

        Returns:
            A config, None while no job is ready, or `Searcher.FINISHED` if no job will follow.
        """
        job: Job | Wait = Wait.NOTHING_READY
        try:
            job = self._scheduler.next_job()
            self._unreadable_since = None
        except StoreReadError as error:  # the store may be readable again in a moment
            now = time.monotonic()
            self._unreadable_since = self._unreadable_since or now
            if now - self._unreadable_since > _PATIENCE_SECONDS:
                self.refusal = error
        except InputError as error:  # the store cannot be written to
            self.refusal = error
        if self.refusal or job is Wait.FINISHED:
            return str(Searcher.FINISHED)
        if isinstance(job, Wait):
            return None
        self._jobs[trial_id], self._heard[trial_id] = job, time.monotonic()
        gpus = gpu_share(job, self._shares) if self._shares else 0.0
        return self._execution.config(job, gpus=gpus, is_trial=self._scheduler.is_trial(job))

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Forwards the progress of a job to the scheduler."""
        self._heard[trial_id] = time.monotonic()
        if "progress" in result:
            progress = Progress(*result["progress"])
            self._scheduler.report_progress(self._jobs[trial_id].key, progress)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Reports the outcome of a trial to the scheduler.

        A trial that ended with an error is skipped here: `TrialEnds` reports it with its cause.
        """
        if error:
            return
        try:
            self._report(self._jobs.pop(trial_id), result or {})
        except StoreReadError as error:  # raised by additional notes, after the job is reported
            logging.getLogger(__name__).info("%s", error)
        except InputError as refusal:  # the store cannot be written to
            self.refusal = refusal

    def _report(self, job: Job, result: dict[str, Any]) -> None:
        outcome = result.get("outcome")
        if outcome == "stored":
            self._scheduler.report_stored(job.key)
        elif outcome == "missing":
            self._scheduler.report_missing_input(job.key)
        elif outcome == "error":
            logging.getLogger(__name__).info("%s", result["traceback"])
            self._scheduler.report_failure(job.key, str(result["cause"]))
        else:
            if outcome == "refused":
                self.refusal = InputError(str(result["cause"]), *result["fields"])
            self._scheduler.report_stopped(job.key)

    def report_death(self, trial_id: str, account: str) -> None:
        """Reports a trial whose worker has ended to the scheduler.

        Args:
            trial_id: id of the trial.
            account: Ray's error message.
        """
        job, silence = self._jobs.pop(trial_id), time.monotonic() - self._heard[trial_id]
        timeout = self._execution.timeouts.get(job.STAGE.timeout)
        if _SIGN_OF_A_LOST_NODE in account:
            logging.getLogger(__name__).info("a node was lost: %s runs again", job.title())
            self._scheduler.report_stopped(job.key)
        elif timeout is not None and silence >= timeout:
            cause = f"no progress for {timeout:g} s, the time-out of its stage"
            self._scheduler.report_failure(job.key, cause)
        else:
            self._scheduler.report_failure(job.key, "its worker process died")

    def save(self, checkpoint_path: str) -> None:
        """Does nothing, because the ledger is in the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, because Tune runs are never restored (see `runner`)."""


class TrialEnds(NotPickled, tune.Callback):  # type: ignore[misc]
    """A Tune callback that reports to the searcher why trials ended with an error.

    Tune passes this cause only to callbacks, not to a searcher. The callback also frees the
    statistics of finished trials.

    Args:
        searcher: searcher that receives the reports.
    """

    def __init__(self, searcher: JobSearcher) -> None:
        self._searcher = searcher

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Reports why a trial died; Tune calls this hook after the searcher's own hook."""
        # `trial.get_error()` would read the copy in the run's storage, which is made later.
        account = Path(trial.error_file).read_text() if trial.error_file else ""
        self._searcher.report_death(trial.trial_id, account)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Frees the statistics of reports that Tune keeps of each trial and that are never read."""
        trial.run_metadata.metric_analysis, trial.run_metadata.metric_n_steps = {}, {}

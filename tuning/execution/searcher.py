"""Between Tune and the scheduler: Tune's search algorithm hands out jobs and reports what they did.

A trial is one run of one job. A trial that ends without a result is reported with its cause, and
the scheduler hands its job out again. A lost node is no fault of the job; a worker that died
(killed, out of host memory, ended by its time-out) or an exception may be. The one thing Tune
retries by itself is a trial whose node was drained before it went (preemption with notice).
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

_PATIENCE_SECONDS = 60.0  # with a store that cannot be read

_SIGN_OF_A_LOST_NODE = "because its node has died"
"""What Ray says of a worker whose node was killed, cut off, drained or ended by SIGTERM. It knows
that only once the node's heartbeats are missed, and waits for it: see `ray_import`."""


class NotPickled:
    """Lives in the driver only: Tune pickles its configuration, which is never read back."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (object, ())


class JobSearcher(NotPickled, Searcher):  # type: ignore[misc]
    """Tune's search algorithm: hands out the scheduler's jobs and passes on what they report.

    Args:
        scheduler: where jobs come from.
        execution: how workers run them.
        shares: what GPU jobs ask for; None where there are no GPUs.
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
        """What the user must mend before anything more can run."""

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Nothing to set: jobs come from the scheduler."""
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The config of the next job; None while none is ready."""
        job: Job | Wait = Wait.NOTHING_READY
        try:
            job = self._scheduler.next_job()
            self._unreadable_since = None
        except StoreReadError as error:  # it may be back in a moment
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
        return self._execution.config(job, gpus=gpus)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Passes on how far a job is."""
        self._heard[trial_id] = time.monotonic()
        if "progress" in result:
            progress = Progress(*result["progress"])
            self._scheduler.report_progress(self._jobs[trial_id].key, progress)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Passes on how a trial ended; of one that died, `TrialEnds` tells the cause next."""
        if error:
            return
        try:
            self._report(self._jobs.pop(trial_id), result or {})
        except StoreReadError as error:  # of what is noted beside, once the job is reported
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
        """Reports a trial whose worker is gone, with Ray's account of it."""
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
        """Nothing to save: the ledger is in the store."""

    def restore(self, checkpoint_path: str) -> None:
        """Never restored: see `runner`."""


class TrialEnds(NotPickled, tune.Callback):  # type: ignore[misc]
    """Tells the searcher why trials died, which a searcher is not told, and forgets finished ones.

    Args:
        searcher: the searcher.
    """

    def __init__(self, searcher: JobSearcher) -> None:
        self._searcher = searcher

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook: called right after the searcher's `on_trial_complete`."""
        # Not `trial.get_error()`: it reads the copy in the run's storage, which is made later.
        account = Path(trial.error_file).read_text() if trial.error_file else ""
        self._searcher.report_death(trial.trial_id, account)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tune's hook: drops statistics of reports that it keeps of each trial and nobody reads."""
        trial.run_metadata.metric_analysis, trial.run_metadata.metric_n_steps = {}, {}

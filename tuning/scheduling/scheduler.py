"""The scheduler: hands out the jobs a study still needs, one at a time, and records their results.

The scheduler does not depend on Ray. The runner calls `next_job` whenever it has free resources,
and reports the outcome of each job. All state is in the store and the ledger, so if the runner
fails, a new scheduler on the same study and store continues where the last one stopped.

The following invariants hold in whatever order drivers propose, start, finish, crash and restart:

- A job is handed out only when all its inputs are stored, and never while another running driver on
  the same store holds its lease.
- A round of proposals is in the ledger, complete, before any job of the round is handed out. Rounds
  are numbered without gaps, and a round in the ledger never changes.
- A stored result is kept, unless it is found corrupt: then it is set aside and computed again.
- `Wait.FINISHED` means that no job is left, or that all jobs left were given up.
- At the end, the ledger, the winners and the set of stored results equal those of an undisturbed
  run.
"""

import enum
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tuning.cells import Cell
from tuning.drivers.lease import Leases
from tuning.jobs import Job, Progress
from tuning.scheduling.planner import Planner
from tuning.search.search import SearchRun
from tuning.spaces.trial import Result
from tuning.store.documents import StoreReadError
from tuning.store.ledger import Ledger
from tuning.store.sources import Codes
from tuning.store.store import Manifest, Store
from tuning.study import Study

MAX_ATTEMPTS = 3
"""Number of failures without progress after which a job and its dependents are given up."""


class Wait(enum.Enum):
    """The reason why there is no next job."""

    NOTHING_READY = "no job can start until a running job ends"
    FINISHED = "no job is left to hand out"


@dataclass(frozen=True)
class Failure:
    """The latest failed attempt of a job.

    Attributes:
        job: the job that failed.
        cause: cause of the failure.
        then: consequence of the failure: "a result" if the failure is stored as the job's result
            (such as a loss that is not finite), "tried again", or "given up".
    """

    job: Job
    cause: str
    then: Literal["a result", "tried again", "given up"]


class Scheduler:
    """The scheduler of one study.

    The methods are thread-safe.

    Args:
        study: the study to complete.
        store: store of the study.
        on_stored: callback that receives each job stored in this launch and the job's manifest.
        leases: leases shared with the drivers of other studies on the same store; None hands out
            jobs even if another driver is running them.
        known: an earlier scheduler of the same store, whose results need not be read again; for
            readers that look at the store again and again.
    """

    def __init__(
        self,
        study: Study,
        store: Store,
        on_stored: Callable[[Job, Manifest], None] | None = None,
        leases: Leases | None = None,
        known: "Scheduler | None" = None,
    ) -> None:
        self.study = study
        self.given_up: dict[str, tuple[Job, str]] = {}
        self.progress: dict[str, tuple[Job, Progress | None]] = {}
        self.finished_here: Counter[str] = Counter()  # jobs stored in this launch, by stage
        self.failures: dict[str, Failure] = {}  # failures of this launch, latest last
        self._store, self.on_stored, self._leases = store, on_stored, leases
        self._planner = Planner(store)
        self._results: dict[str, Result] = dict(known._results) if known else {}
        self._codes: dict[str, Codes] = dict(known._codes) if known else {}
        self._attempts: dict[str, tuple[int, int]] = {}  # number of failures, furthest progress
        self._wanted: list[Job] | None = None  # until a score is stored or an input is lost
        self._may_propose = True  # True after each such change
        self._lock = threading.RLock()
        for job in study.fixed_jobs:
            # Scores are verified when they are looked up. Fixed jobs are not, so verify them here.
            if known and known.is_done(job):
                continue
            if self._planner.is_done(job) and store.manifest(job.stage, job.key) is None:
                self._planner.mark_missing(job)
        ledger = Ledger(store)
        self.searches: dict[str, SearchRun] = {}
        for search in study.searches:
            run = SearchRun(search, ledger, self.lookup, self.searches, self._lock)
            self.searches[search.name] = run
        self._searched = tuple(type(search.space.template) for search in study.searches)

    def is_done(self, job: Job) -> bool:
        """Returns whether the result of a job is stored."""
        return self._planner.is_done(job)

    def is_trial(self, job: Job) -> bool:
        """Returns whether a job is one that a search tries or measures again."""
        return isinstance(job, self._searched)

    def lookup(self, job: Job) -> Result | None:
        """Returns the result of a finished job; None if the job is not finished."""
        with self._lock:
            if not self._planner.is_done(job):
                return None
            if job.key not in self._results:
                manifest = self._store.manifest(job.stage, job.key)
                if manifest is None:
                    self._planner.mark_missing(job)
                    return None
                found = manifest.result
                numbers = {k: float(v) for k, v in found.items() if isinstance(v, int | float)}
                self._results[job.key] = Result(numbers, found.get("failed"))
                self._codes[job.key] = manifest.code or {}
            return self._results[job.key]

    def codes(self, job: Job) -> Codes:
        """Returns the codes that the result of a job comes from.

        The result is empty if the codes are unknown or the job is not finished.
        """
        with self._lock:
            return self._codes.get(job.key, {}) if self.lookup(job) else {}

    def cell_jobs(self, cell: Cell) -> tuple[Job, ...]:
        """Returns the jobs of a cell; empty if the cell's search has no winner (yet)."""
        run = self.searches[cell.search.name] if cell.search else None
        winner = run.winner if run else None
        return cell.jobs(winner.score if winner else None)

    def wanted(self) -> list[Job]:
        """Returns the jobs whose results are wanted now and not stored, most urgent first."""
        with self._lock:
            if self._wanted is None:
                wanted: list[Job] = list(self.study.fixed_jobs)
                for run in self.searches.values():
                    wanted += run.wanted()
                for cell in self.study.cells:
                    wanted += [job for job in self.cell_jobs(cell) if self.lookup(job) is None]
                self._wanted = wanted
            self._wanted = [job for job in self._wanted if not self._planner.is_done(job)]
            return self._wanted

    def next_job(self) -> Job | Wait:
        """Returns the next job to run, or the reason why there is none.

        The job counts as running until one of the `report_...` methods (other than
        `report_progress`) is called with its key. Rounds of proposals that are due are written to
        the ledger first.

        Raises:
            StoreReadError: the store could not be read; the job is handed out again later.
        """
        with self._lock:
            while True:
                self._propose()
                job = self._hand_out()
                if isinstance(job, Wait):
                    return job
                try:
                    was_done = self._was_done_elsewhere(job)
                except StoreReadError:
                    self.report_stopped(job.key)
                    raise
                if not was_done:
                    return job
                self.report_stored(job.key)

    def _propose(self) -> None:
        if self._may_propose:
            for run in self.searches.values():
                while run.propose():
                    self._wanted = None
            self._may_propose = False

    def _hand_out(self) -> Job | Wait:
        running = [job for job, _ in self.progress.values()]
        is_elsewhere = False
        for job in self._planner.ready(self.wanted(), running):
            if job.key in self.given_up:
                continue
            if self._leases and not self._leases.take(job.key):
                is_elsewhere = True
                continue
            self.progress[job.key] = (job, None)
            return job
        return Wait.NOTHING_READY if running or is_elsewhere else Wait.FINISHED

    def _was_done_elsewhere(self, job: Job) -> bool:
        """Returns whether another driver has stored the result; spares a worker the check."""
        has_company = self._leases is not None and self._leases.has_company
        return has_company and self._store.has(job.stage, job.key)

    def is_complete(self) -> bool:
        """Returns whether all results that the study needs are stored."""
        with self._lock:
            return not self.wanted() and all(run.is_complete for run in self.searches.values())

    # -- reports from the runner -------------------------------------------------------------------

    def report_progress(self, key: str, progress: Progress) -> None:
        """Records the progress of a running job."""
        with self._lock:
            if key in self.progress:
                self.progress[key] = (self.progress[key][0], progress)

    def report_stored(self, key: str) -> None:
        """Records that a running job has finished and that its result is stored.

        If the manifest of the job cannot be read, this counts as a failure.
        """
        with self._lock:
            job, _ = self.progress[key]
            try:
                manifest = self._store.manifest(job.stage, job.key)
            except StoreReadError:  # the next attempt will find the stored result
                manifest = None
            if manifest is None:
                self.report_failure(key, "its result cannot be read back from the store")
                return
            self._end(key)
            self.failures.pop(key, None)
            if "failed" in manifest.result:
                self.failures[key] = Failure(job, str(manifest.result["failed"]), "a result")
            self._planner.mark_done(job)
            if isinstance(job, self._searched):
                self._look_again()
            self.finished_here[job.stage] += 1
        if self.on_stored:
            self.on_stored(job, manifest)

    def report_missing_input(self, key: str) -> None:
        """Records that an input of a running job is missing or corrupt; checks all inputs again."""
        with self._lock:
            job, _ = self.progress[key]
            self.report_failure(key, "an input was missing or corrupt")
            for needed in job.inputs():
                if self._store.manifest(needed.stage, needed.key) is None:
                    self._planner.mark_missing(needed)
                    self._look_again()

    def report_failure(self, key: str, cause: str) -> None:
        """Records that a running job ended without a result.

        The job is tried again until it has failed `MAX_ATTEMPTS` times. A failure after more
        progress than in all earlier attempts restarts the count, so a long training run that
        resumes from checkpoints is not given up because of frequent interruptions.

        Args:
            key: key of the job.
            cause: cause of the failure.
        """
        with self._lock:
            job, progress = self._end(key)
            reached = progress.done if progress else 0
            failures, furthest = self._attempts.get(key, (0, 0))
            failures = 1 if reached > furthest else failures + 1
            self._attempts[key] = (failures, max(reached, furthest))
            self.failures.pop(key, None)
            self.failures[key] = Failure(job, cause, "tried again")
            if failures >= MAX_ATTEMPTS:
                self.given_up[key] = (job, cause)
                self.failures[key] = Failure(job, cause, "given up")

    def report_stopped(self, key: str) -> None:
        """Records that a running job was stopped or lost with its node; it will run again."""
        with self._lock:
            self._end(key)

    def forget_running(self) -> None:
        """Records that the runner was lost with all its running jobs."""
        with self._lock:
            for key in list(self.progress):
                self._end(key)

    def _look_again(self) -> None:
        """Discards the cached list of wanted jobs and allows new proposals."""
        self._wanted, self._may_propose = None, True

    def _end(self, key: str) -> tuple[Job, Progress | None]:
        """Removes a job from the running jobs and drops its lease."""
        if self._leases:
            self._leases.drop(key)
        return self.progress.pop(key)

"""The scheduler: hands out the jobs a study still needs, one at a time, and takes their results.

It knows nothing of Ray: the runner asks `next_job` whenever there is room and says what became of
it. Whatever happens to the runner, a new scheduler on the same study and store goes on where the
last one was, for its state is in the store and the ledger alone.

Invariants, whatever the order in which drivers propose, start, finish, crash and come back:

- A job is handed out only when all its inputs are stored, and never while another living driver on
  the same store has it out.
- A round of proposals is in the ledger, whole, before any of it is handed out. Rounds follow one
  another without a gap, and one that is written never changes.
- What is stored stays stored, unless it is found corrupt: then it is set aside and made again.
- `Wait.FINISHED` means that nothing is left, or that what is left was given up.
- The ledger, the winners and the set of stored results at the end are those of an undisturbed run.
"""

import enum
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tuning.drivers.lease import Leases
from tuning.jobs import Job, Progress
from tuning.scheduling.planner import Planner
from tuning.search.search import SearchRun
from tuning.spaces.trial import Result
from tuning.stages import Score
from tuning.store.documents import StoreReadError
from tuning.store.ledger import Ledger
from tuning.store.store import Manifest, Store
from tuning.study import Cell, Study

MAX_ATTEMPTS = 3
"""A job that fails this often without getting further is given up, with all that rests on it."""


class Wait(enum.Enum):
    """Why there is no next job."""

    NOTHING_READY = "nothing is ready until something that runs ends"
    FINISHED = "nothing is left to hand out"


@dataclass(frozen=True)
class Failure:
    """A job's last attempt that led to no number.

    Attributes:
        job: the job.
        cause: why.
        then: what becomes of it.
    """

    job: Job
    cause: str
    then: Literal["a result", "tried again", "given up"]


class Scheduler:
    """Works a study off.

    Args:
        study: the study.
        store: its store.
        on_stored: called with each job of this launch and its manifest, once stored.
        leases: where drivers of other studies work on the same store; None to hand out jobs
            whoever runs them.

    The methods may be called from several threads.
    """

    def __init__(
        self,
        study: Study,
        store: Store,
        on_stored: Callable[[Job, Manifest], None] | None = None,
        leases: Leases | None = None,
    ) -> None:
        self.study = study
        self.given_up: dict[str, tuple[Job, str]] = {}
        self.progress: dict[str, tuple[Job, Progress | None]] = {}
        self.finished_here: Counter[str] = Counter()  # jobs of this launch, by stage
        self.failures: dict[str, Failure] = {}  # of this launch, the latest last
        self._store, self.on_stored, self._leases = store, on_stored, leases
        self._planner = Planner(store)
        self._results: dict[str, Result] = {}
        self._attempts: dict[str, tuple[int, int]] = {}  # failures, furthest progress
        self._wanted: list[Job] | None = None  # valid until a score is in or something is missing
        self._may_propose = True  # so is this
        self._lock = threading.RLock()
        for job in study.fixed_jobs:
            # Scores are verified when they are looked up; these are not looked up by anyone.
            if self._planner.is_done(job) and store.manifest(job.stage, job.key) is None:
                self._planner.mark_missing(job)
        ledger = Ledger(store)
        self.searches: dict[str, SearchRun] = {}
        for search in study.searches:
            run = SearchRun(search, ledger, self.lookup, self.searches, self._lock)
            self.searches[search.name] = run

    def is_done(self, job: Job) -> bool:
        """Whether a job's result is stored."""
        return self._planner.is_done(job)

    def lookup(self, job: Job) -> Result | None:
        """A finished job's numbers, or None."""
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
            return self._results[job.key]

    def cell_jobs(self, cell: Cell) -> tuple[Job, ...]:
        """The jobs of a cell; empty while its search has no winner."""
        run = self.searches[cell.search.name] if cell.search else None
        winner = run.winner if run else None
        return cell.jobs(winner.score if winner else None)

    def wanted(self) -> list[Job]:
        """Results wanted now, most urgent first."""
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
        """The next job to run; it counts as running until it is reported on.

        Rounds of proposals that are due are written first.
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
        """Whether another driver stored this result meanwhile (else its worker would find out)."""
        has_company = self._leases is not None and self._leases.has_company
        return has_company and self._store.has(job.stage, job.key)

    def is_complete(self) -> bool:
        """Whether everything the study needs is stored."""
        with self._lock:
            return not self.wanted() and all(run.is_complete for run in self.searches.values())

    # -- reports from the runner -------------------------------------------------------------------

    def report_progress(self, key: str, progress: Progress) -> None:
        """Notes how far a running job is."""
        with self._lock:
            if key in self.progress:
                self.progress[key] = (self.progress[key][0], progress)

    def report_stored(self, key: str) -> None:
        """A running job says it is done: believed when its manifest can be read."""
        with self._lock:
            job, _ = self.progress[key]
            try:
                manifest = self._store.manifest(job.stage, job.key)
            except StoreReadError:  # its next worker finds it stored
                manifest = None
            if manifest is None:
                self.report_failure(key, "its result cannot be read back from the store")
                return
            self._end(key)
            self.failures.pop(key, None)
            if "failed" in manifest.result:
                self.failures[key] = Failure(job, str(manifest.result["failed"]), "a result")
            self._planner.mark_done(job)
            if isinstance(job, Score):
                self._look_again()
            self.finished_here[job.stage] += 1
        if self.on_stored:
            self.on_stored(job, manifest)

    def report_missing_input(self, key: str) -> None:
        """A running job found an input missing or corrupt: all its inputs are looked up again."""
        with self._lock:
            job, _ = self.progress[key]
            self.report_failure(key, "an input was missing or corrupt")
            for needed in job.inputs():
                if self._store.manifest(needed.stage, needed.key) is None:
                    self._planner.mark_missing(needed)
                    self._look_again()

    def report_failure(self, key: str, cause: str) -> None:
        """A running job ended without a result; it is tried again, but not for ever.

        A failure after more progress than ever before is counted as the first: a long training that
        goes on from its checkpoints is not given up for being interrupted often.
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
        """A running job was stopped, or lost with its node; it will be run again."""
        with self._lock:
            self._end(key)

    def forget_running(self) -> None:
        """The runner was lost with all it ran."""
        with self._lock:
            for key in list(self.progress):
                self._end(key)

    def _look_again(self) -> None:
        """What is wanted may have changed."""
        self._wanted, self._may_propose = None, True

    def _end(self, key: str) -> tuple[Job, Progress | None]:
        """A job does not run any more, however it ended."""
        if self._leases:
            self._leases.drop(key)
        return self.progress.pop(key)

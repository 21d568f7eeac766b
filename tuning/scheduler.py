"""The scheduler: hands out the jobs a study still needs, one at a time, and takes their results.

It knows nothing of Ray: the runner asks `next_job` whenever there is room and says what became of
it. Whatever happens to the runner, a new scheduler on the same study and store goes on where the
last one was, for its state is in the store and the ledger alone.
"""

import enum
import threading
from collections.abc import Callable

from tuning.jobs import Job, Progress
from tuning.ledger import Ledger
from tuning.planner import Planner
from tuning.search import ScoreResult, SearchRun
from tuning.stages import Score
from tuning.store import Manifest, Store
from tuning.study import Cell, Study

MAX_ATTEMPTS = 3
"""A job whose run raised this many times is given up, with all that rests on it."""


class Wait(enum.Enum):
    """Why there is no next job."""

    NOTHING_READY = "nothing is ready until something that runs ends"
    FINISHED = "nothing is left to hand out"


class Scheduler:
    """Works a study off.

    Args:
        study: the study.
        store: its store.
        on_stored: called with each job of this launch and its manifest, once stored.

    The methods may be called from several threads.
    """

    def __init__(
        self, study: Study, store: Store, on_stored: Callable[[Job, Manifest], None] | None = None
    ) -> None:
        self.study = study
        self.given_up: dict[str, tuple[Job, str]] = {}
        self.progress: dict[str, tuple[Job, Progress | None]] = {}
        self.finished_here: list[tuple[Job, Manifest]] = []
        self._store, self.on_stored = store, on_stored
        self._planner = Planner(store)
        self._results: dict[str, ScoreResult | None] = {}
        self._attempts: dict[str, int] = {}
        self._lock = threading.RLock()
        for job in study.fixed_jobs:
            # Scores are verified when they are looked up; these are not looked up by anyone.
            if self._planner.is_done(job) and store.manifest(job.stage, job.key) is None:
                self._planner.mark_missing(job)
        ledger = Ledger(store)
        self.searches: dict[str, SearchRun] = {}
        for search in study.searches:
            after = self.searches[search.after.name] if search.after else None
            self.searches[search.name] = SearchRun(search, ledger, self.lookup, after)

    def is_done(self, job: Job) -> bool:
        """Whether a job's result is stored."""
        return self._planner.is_done(job)

    def lookup(self, score: Score) -> ScoreResult | None:
        """A finished score's result, or None."""
        with self._lock:
            if not self._planner.is_done(score):
                return None
            if score.key not in self._results:
                manifest = self._store.manifest(score.stage, score.key)
                if manifest is None:
                    self._planner.mark_missing(score)
                    return None
                result = manifest.result
                self._results[score.key] = ScoreResult(
                    result.get("raw"), result.get("denoised"), result.get("failed")
                )
            return self._results[score.key]

    def cell_scores(self, cell: Cell) -> tuple[Score, ...]:
        """The scores of a cell; empty while its search has no winner."""
        run = self.searches[cell.search.name] if cell.search else None
        winner = run.winner if run else None
        return cell.scores(winner.epsilon) if winner else ()

    def wanted(self) -> list[Job]:
        """Results wanted now, most urgent first; proposes new rounds where they are due."""
        with self._lock:
            wanted: list[Job] = list(self.study.fixed_jobs)
            for run in self.searches.values():
                wanted += run.wanted()
            for cell in self.study.cells:
                wanted += [s for s in self.cell_scores(cell) if self.lookup(s) is None]
            return [job for job in wanted if not self._planner.is_done(job)]

    def remaining(self) -> list[Job]:
        """All jobs known to be left, inputs first, each once."""
        with self._lock:
            return list(self._planner.missing(self.wanted()))

    def next_job(self) -> Job | Wait:
        """The next job to run; it counts as running until it is reported on."""
        with self._lock:
            running = [job for job, _ in self.progress.values()]
            wanted = self.wanted()
            for job in self._planner.ready(wanted, running):
                if job.key not in self.given_up:
                    self.progress[job.key] = (job, None)
                    return job
            return Wait.NOTHING_READY if running else Wait.FINISHED

    def is_complete(self) -> bool:
        """Whether everything the study needs is stored."""
        with self._lock:
            return not self.wanted()

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
            manifest = self._store.manifest(job.stage, job.key)
            if manifest is None:
                self.report_failure(key, "its result cannot be read back from the store")
                return
            del self.progress[key]
            self._planner.mark_done(job)
            self.finished_here.append((job, manifest))
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

    def report_failure(self, key: str, cause: str) -> None:
        """A running job ended without a result; it is tried again, but not for ever."""
        with self._lock:
            job, _ = self.progress.pop(key)
            self._attempts[key] = self._attempts.get(key, 0) + 1
            if self._attempts[key] >= MAX_ATTEMPTS:
                self.given_up[key] = (job, cause)

    def report_stopped(self, key: str) -> None:
        """A running job was stopped before its end; it will be run again."""
        with self._lock:
            self.progress.pop(key)

    def forget_running(self) -> None:
        """The runner was lost with all it ran."""
        with self._lock:
            self.progress.clear()

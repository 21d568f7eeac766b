"""The planner: finds the jobs that can run now, given the jobs whose results are wanted.

The dependency graph is given by the nested specs. A job can run when all its inputs are stored.
Jobs of a chain (snapshots of one training run) run one at a time, in order. The planner lists the
stored jobs once, at its start, and then keeps track of the jobs that finish.
"""

from collections.abc import Iterable, Iterator

from tuning.jobs import Job
from tuning.store.store import Store


class Planner:
    """A record of the stored jobs that finds the wanted jobs that can run.

    Args:
        store: store of the finished jobs.
    """

    def __init__(self, store: Store) -> None:
        self._stored = store.stored_keys()
        self._inputs: dict[str, tuple[Job, ...]] = {}

    def is_done(self, job: Job) -> bool:
        """Returns whether the result of the job is stored."""
        return job.key in self._stored

    def mark_done(self, job: Job) -> None:
        """Records that the result of the job has been stored."""
        self._stored.add(job.key)
        self._inputs.pop(job.key, None)

    def mark_missing(self, job: Job) -> None:
        """Records that the result of the job turned out to be corrupt or deleted."""
        self._stored.discard(job.key)

    def missing(self, wanted: Iterable[Job]) -> Iterator[Job]:
        """Yields each job to run for the wanted jobs once, inputs first."""
        seen: set[str] = set()
        for job in wanted:
            yield from self._missing(job, seen)

    def _missing(self, job: Job, seen: set[str]) -> Iterator[Job]:
        if job.key in seen or self.is_done(job):
            return
        seen.add(job.key)
        for needed in self._needs(job):
            yield from self._missing(needed, seen)
        yield job

    def _needs(self, job: Job) -> tuple[Job, ...]:
        """Returns the inputs of a missing job; cached, as specs and keys are slow to build."""
        if job.key not in self._inputs:
            self._inputs[job.key] = job.inputs()
        return self._inputs[job.key]

    def ready(self, wanted: Iterable[Job], running: Iterable[Job]) -> Iterator[Job]:
        """Yields the jobs that can start now, in the order of the wanted jobs that need them.

        Args:
            wanted: jobs whose results are wanted, most urgent first.
            running: jobs that are already running.

        Yields:
            Jobs that are not running and whose inputs are all stored. Of the unfinished jobs of a
            chain, only the earliest is considered.
        """
        running = list(running)
        busy = {job.key for job in running}
        candidates = list(self.missing(wanted))
        turn: dict[str, int] = {}
        for job in (*candidates, *running):
            if job.chain is not None:
                turn[job.chain] = min(job.position, turn.get(job.chain, job.position))
        for job in candidates:
            its_turn = job.chain is None or turn[job.chain] == job.position
            if job.key not in busy and its_turn and all(map(self.is_done, self._needs(job))):
                yield job

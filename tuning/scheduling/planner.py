"""The planner: from the jobs wanted to the jobs that can run now.

The graph is the nesting of the specs. A job can run when all its inputs are stored; jobs of a chain
(snapshots of one training run) one at a time, in order. What is stored is known from one listing of
the store and from what finishes meanwhile.
"""

from collections.abc import Iterable, Iterator

from tuning.jobs import Job
from tuning.store.store import Store


class Planner:
    """Which jobs are done, and which of those wanted can run.

    Args:
        store: where finished jobs are.
    """

    def __init__(self, store: Store) -> None:
        self._stored = store.stored_keys()
        self._inputs: dict[str, tuple[Job, ...]] = {}

    def is_done(self, job: Job) -> bool:
        """Whether the job's result is stored."""
        return job.key in self._stored

    def mark_done(self, job: Job) -> None:
        """Notes a result that was just stored."""
        self._stored.add(job.key)
        self._inputs.pop(job.key, None)

    def mark_missing(self, job: Job) -> None:
        """Notes that a result is not there after all (corrupt, or removed by hand)."""
        self._stored.discard(job.key)

    def missing(self, wanted: Iterable[Job]) -> Iterator[Job]:
        """All jobs to run for those wanted, inputs first, each once."""
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
        """A missing job's inputs: made once, for specs and their keys take time to make."""
        if job.key not in self._inputs:
            self._inputs[job.key] = job.inputs()
        return self._inputs[job.key]

    def ready(self, wanted: Iterable[Job], running: Iterable[Job]) -> Iterator[Job]:
        """The jobs that can start now, in the order of what they are wanted for.

        Args:
            wanted: jobs whose results are wanted, most urgent first.
            running: jobs that run already.

        Yields:
            Jobs not running, whose inputs are stored and, in a chain, whose turn it is.
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

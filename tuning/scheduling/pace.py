"""Corrects predicted times of jobs by the progress of the jobs that run now.

The first job of a stage may run for hours before its rate is measured (`rates`), and an assumed
throughput may be wrong by a factor of three. The progress inside the job gives the rate after a
minute.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from tuning.jobs import Job, Progress

_LEAST_SECONDS = 1.0


class Pace:
    """Ratios of measured to predicted times of the jobs that run in this launch.

    Args:
        predicted: function that returns the predicted time of a job in seconds.
    """

    def __init__(self, predicted: Callable[[Job], float]) -> None:
        self._predicted = predicted
        self._first: dict[str, tuple[float, int]] = {}
        self._factors: defaultdict[str, dict[str, float]] = defaultdict(dict)

    def note(self, running: Iterable[tuple[Job, Progress | None]], now: float) -> None:
        """Notes how far the running jobs are.

        Args:
            running: the running jobs with their progress.
            now: present time in seconds, on any clock that never goes back.
        """
        for job, progress in running:
            if progress is None:
                continue
            since, done = self._first.setdefault(job.key, (now, progress.done))
            if progress.done < done:  # the job has started again
                self._first[job.key] = now, progress.done
            elif progress.done > done and now - since >= _LEAST_SECONDS:
                whole = (now - since) / (progress.done - done) * progress.total
                self._factors[job.stage][job.key] = whole / max(1e-9, self._predicted(job))

    def factor(self, stage: str) -> float:
        """Returns the mean ratio of measured to predicted times of a stage; 1 if none is known."""
        found = self._factors[stage].values()
        return sum(found) / len(found) if found else 1.0

"""Notes on numbers that share a mean, a search or a curve but come from different source code.

The key of a result contains the VERSION of its classes, but not their source. If a class was
changed without raising VERSION, further seeds would be averaged with seeds of the old code.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Frames, Nearest, SampleSize
from tuning.store.sources import changed_modules
from tuning.store.store import Store


def code_notes(scheduler: Scheduler, store: Store) -> tuple[str, ...]:
    """Returns a note for each set of modules whose versions differ within a group of results.

    Results whose code is unknown, such as those of version 0.2, cause no note.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    groups: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    for name, jobs in _groups(scheduler):
        changed = changed_modules(store, map(scheduler.codes, jobs))
        if changed:
            groups[tuple(changed)][name] = None
    return tuple(
        f"different versions of {', '.join(modules)} computed {'; '.join(names)}"
        for modules, names in groups.items()
    )


def _groups(scheduler: Scheduler) -> Iterator[tuple[str, Sequence[Job]]]:
    """Yields the jobs whose numbers are averaged or compared with each other, and their name."""
    for cell in scheduler.study.cells:
        others = Frames | Nearest | SampleSize
        jobs = [job for job in scheduler.cell_jobs(cell) if not isinstance(job, others)]
        yield f"the seeds of {cell.name}", jobs
    for name, run in scheduler.searches.items():
        yield f"the trials of {name}", [score for trial in run.trials for score in trial.scores]
    for curve in scheduler.study.curves:
        name = f"the points of {curve.label} ({curve.panel})"
        yield name, [job for jobs in curve.points.values() for job in jobs]

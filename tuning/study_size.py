"""The size of a study: its jobs and their work are bounded before anything lists them."""

import dataclasses
from collections.abc import Iterator

from scorelib.errors import InputError
from scorelib.limits import MOST_EVALUATIONS, MOST_JOBS
from tuning.jobs import Job
from tuning.study import Study


def require_jobs(n_jobs: int, cure: str) -> None:
    """Raises InputError if a study would have too many jobs; called before the study is built.

    Args:
        n_jobs: number of jobs that the study will have at least, inputs counted as by
            `require_listable`.
        cure: what to do about too many jobs, for the message.
    """
    if n_jobs > MOST_JOBS:
        raise InputError(
            f"a study must have at most {MOST_JOBS:,} jobs, but this one has at least "
            f"{n_jobs:,}: {cure}"
        )


def require_listable(study: Study) -> None:
    """Raises InputError if a study has more jobs or evaluations than `scorelib.limits` allows.

    Nothing is listed: jobs that share inputs count them twice, all inputs of a job count like the
    first, and the later rungs of a search do not count.

    Args:
        study: the study.
    """
    n_jobs = n_evaluations = 0
    for job, times in _sorts(study):
        inputs = job.inputs()
        n_jobs += times * (1 + len(inputs))
        if n_jobs > MOST_JOBS:
            raise InputError(
                f"a study must have at most {MOST_JOBS:,} jobs, but this one has at least "
                f"{n_jobs:,}, of which {times:,} times {1 + len(inputs):,} for {job.title()!r}: "
                "lower the numbers of seeds, trials, rows, columns or images, or raise chunk_images"
            )
        if inputs:
            n_evaluations += times * len(inputs) * inputs[0].work().evaluations
        if n_evaluations > MOST_EVALUATIONS:
            raise InputError(
                f"the jobs of a study must take at most {MOST_EVALUATIONS:,} network evaluations, "
                f"but these take at least {n_evaluations:,}: lower the numbers of levels, steps "
                "per level, images, trials or seeds"
            )


def _sorts(study: Study) -> Iterator[tuple[Job, int]]:
    """Yields jobs of a study with the number of jobs of the same cost that each stands for."""
    for job in dataclasses.replace(study, cells=(), claims=()).fixed_jobs:
        yield job, 1
    for cell in study.cells:
        if cell.sample is not None:
            first, *others = dataclasses.replace(cell, n_seeds=1).jobs(None)
            yield first, cell.n_seeds
            yield from ((job, 1) for job in others)
        elif cell.search is None:
            yield from ((job, 1) for job in cell.jobs(None))
    for search in study.searches:
        space = search.space
        values = (search.starts or space.placeholder_values(1, ()))[0]
        found = space.scores(values)
        yield found[0], search.n_trials * len(found)
        for cell in study.cells:
            if cell.search is search:
                yield space.fresh(found[0], cell.protocol, 1)[0], cell.n_seeds

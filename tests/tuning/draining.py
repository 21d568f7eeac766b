"""Helpers that run a study in this process, without Ray, as the runner does."""

import functools
import shutil
import tempfile

from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, MissingInputError
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.store import Store


def drain(study, store, *, scheduler=None, most=None, choose=None, **workplace):
    """Runs the jobs of the study; returns their (stage, key) in order.

    Args:
        study: the study.
        store: its store.
        scheduler: scheduler of the study, if the test needs access to it.
        most: number of jobs after which to stop.
        choose: selects one of several running jobs, as workers finish in any order.
        workplace: other arguments of `ExecutionContext`.
    """
    scheduler = scheduler or Scheduler(study, store)
    place = ExecutionContext(store=store, **workplace)
    ran, out = [], []
    while most is None or len(ran) < most:
        while (job := scheduler.next_job()) not in list(Wait):
            out.append(job)
            if choose is None:
                break
        if not out:
            return ran
        job = out.pop(choose(len(out)) if choose else 0)
        try:
            for _ in execute(job, place, is_trial=scheduler.is_trial(job)):
                pass
        except MissingInputError:
            scheduler.report_missing_input(job.key)
            continue
        ran.append((job.stage, job.key))
        scheduler.report_stored(job.key)
    return ran


def fill(study, store):
    """Fills an empty store in a folder with the results of a study, each job run once a process.

    For tests of what is read from a store; tests of how the results come about use `drain`.
    """
    known, _ = _known()
    scheduler, place = Scheduler(study, store), ExecutionContext(store=known)
    while (job := scheduler.next_job()) not in list(Wait):
        for _ in execute(job, place, is_trial=scheduler.is_trial(job)):
            pass
        made = f"objects/{job.stage}/{job.key}"
        shutil.copytree(known.folder / made, store.folder / made)
        scheduler.report_stored(job.key)
    shutil.copytree(known.folder / "code", store.folder / "code", dirs_exist_ok=True)


@functools.cache
def _known():
    """Returns a store with all results of `fill`, and its folder, which this process removes."""
    folder = tempfile.TemporaryDirectory(prefix="known-")
    return Store(f"{folder.name}/store", create=True), folder


def results(study, store):
    """Returns the results of the jobs of each cell and each baseline, by cell and key.

    The key of a cell contains the values that its search chose.
    """
    scheduler = Scheduler(study, store)
    jobs = [(cell.name, job) for cell in study.cells for job in scheduler.cell_jobs(cell)]
    jobs += [(job.kind, job) for job in study.baselines]
    return {(name, job.key): store.manifest(job.stage, job.key).result for name, job in jobs}

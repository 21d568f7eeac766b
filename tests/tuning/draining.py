"""Works a study off in this process, without Ray, as the runner does; and what came of it."""

from tuning.jobs import ExecutionContext, MissingInputError, execute
from tuning.scheduling.scheduler import Scheduler, Wait


def drain(study, store, *, scheduler=None, most=None, choose=None, **workplace):
    """Runs the study's jobs; returns their (stage, key) in order.

    Args:
        study: the study.
        store: its store.
        scheduler: the study's, if it is to be looked at.
        most: stop after this many.
        choose: picks one of several jobs that are out at a time, as workers finishing in any order.
        workplace: what else of `ExecutionContext` is not the default.
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
            for _ in execute(job, place):
                pass
        except MissingInputError:
            scheduler.report_missing_input(job.key)
            continue
        ran.append((job.stage, job.key))
        scheduler.report_stored(job.key)
    return ran


def results(study, store):
    """What the study came to: what is stored of each cell's and baseline's jobs, by cell and key.

    A cell's key has in it the values that its search chose.
    """
    scheduler = Scheduler(study, store)
    jobs = [(cell.name, job) for cell in study.cells for job in scheduler.cell_jobs(cell)]
    jobs += [(job.kind, job) for job in study.baselines]
    return {(name, job.key): store.manifest(job.stage, job.key).result for name, job in jobs}

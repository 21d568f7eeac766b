"""Running a single job with all it needs, without a scheduler."""

from tuning.jobs import execute


def finish(job, place):
    """Runs a job and all it needs; returns its manifest."""
    for needed in job.inputs():
        finish(needed, place)
    run = execute(job, place)
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return stop.value

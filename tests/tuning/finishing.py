"""Helper that runs a single job with all its inputs, without a scheduler."""

from tuning.jobs import execute


def finish(job, place):
    """Runs a job and all its inputs; returns its manifest."""
    for needed in job.inputs():
        finish(needed, place)
    run = execute(job, place)
    while True:
        try:
            next(run)
        except StopIteration as stop:
            return stop.value

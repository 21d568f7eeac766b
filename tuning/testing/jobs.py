"""The contract of jobs: JSON, progress, results that survive a kill."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from scorelib.testing.specs import (
    check_spec,
    contract,
    global_generators,
    name_of,
    require,
    require_line,
)
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Stage, Work
from tuning.store.store import Manifest, Store


def finish(job: Job, at: ExecutionContext) -> Manifest:
    """Runs a job and all its inputs, unless they are stored, without a scheduler.

    Args:
        job: job to run.
        at: environment in which the jobs run.

    Returns:
        The job's manifest.
    """
    for needed in job.inputs():
        finish(needed, at)
    run = execute(job, at)
    while True:
        try:
            next(run)
        except StopIteration as stop:
            manifest: Manifest = stop.value
            return manifest


@contract
def check_job(job: Job, folder: Path, **settings: Any) -> None:
    """Checks a job: its texts, its inputs, its progress, and that a killed run can be resumed.

    The job runs once as a whole. With another store, the job is killed after half of its progress
    and runs again. Both must give the same result and the same files.

    Args:
        job: job with small settings; its inputs are run first.
        folder: empty folder for the two stores.
        settings: other fields of the `ExecutionContext`, such as `data_root`.

    Raises:
        AssertionError: a rule is broken; the message is one line.
    """
    who = name_of(job)
    require(isinstance(job, Job), f"{who} must be a subclass of Job")
    check_spec(job)
    stage = getattr(job, "STAGE", None)
    require(isinstance(stage, Stage), f"{who}.STAGE must be a Stage, but got {stage!r}")
    for what in ("title", "summary"):
        require_line(getattr(job, what)(), f"{who}.{what}()")
    require_line(job.rate_name, f"{who}.rate_name")
    inputs = job.inputs()
    are_jobs = isinstance(inputs, tuple) and all(isinstance(needed, Job) for needed in inputs)
    require(are_jobs, f"{who}.inputs() must return a tuple of jobs, but got {inputs!r:.60}")
    _check_work(who, job.work())
    whole = ExecutionContext(store=Store(str(folder / "whole"), create=True), **settings)
    for needed in inputs:
        finish(needed, whole)
    shutil.copytree(folder / "whole", folder / "killed")
    killed = dataclasses.replace(whole, store=Store(str(folder / "killed"), create=False))
    outcome, n = _whole_run(job, whole)
    with global_generators(2, f"{who}.run"):
        run = execute(job, killed)
        for _ in range((n + 1) // 2):
            next(run)
        run.close()
        finish(job, killed)
    _check_same(job, outcome, killed)


def _check_work(who: str, work: Work) -> None:
    require(isinstance(work, Work), f"{who}.work() must return a Work, but got {work!r:.60}")
    for name, value in dataclasses.asdict(work).items():
        require(value >= 0, f"{who}.work().{name} must not be negative, but got {value:g}")


def _whole_run(job: Job, at: ExecutionContext) -> tuple[Outcome, int]:
    """Runs the job in one piece; returns its outcome, and how often it reported its progress."""
    who, before, n, run = name_of(job), 0, 0, job.run(at)
    with global_generators(1, f"{who}.run"):
        while True:
            try:
                progress = next(run)
            except StopIteration as stop:
                outcome = stop.value
                break
            is_progress = isinstance(progress, Progress)
            require(is_progress, f"{who}.run must yield Progress, but yielded {progress!r:.60}")
            require(
                before <= progress.done <= progress.total,
                f"{who}.run: done must grow from 0 to total = {progress.total}, but got "
                f"{progress.done} after {before}",
            )
            before, n = progress.done, n + 1
    is_outcome = isinstance(outcome, Outcome)
    require(is_outcome, f"{who}.run must return an Outcome, but returned {outcome!r:.60}")
    try:
        json.dumps(outcome.result, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"{who}: the result must be JSON with finite numbers, but {error}"
        raise AssertionError(message) from None
    return outcome, n


def _check_same(job: Job, whole: Outcome, killed: ExecutionContext) -> None:
    who, stored = name_of(job), killed.manifest(job)
    expected = json.loads(json.dumps(whole.result))
    require(
        stored.result == expected,
        f"{who}: a run that was killed and run again must give the result of a whole run, "
        f"{expected!r:.60}, but gave {stored.result!r:.60}",
    )
    for name in sorted({*whole.files, *stored.files}):
        there = name in whole.files and name in stored.files
        require(
            there and bytes(whole.files[name]) == killed.read(job, name),
            f"{who}: a run that was killed and run again must store the file {name} of a whole "
            "run, but stored another",
        )

"""Tests of thousands of jobs: counted, planned and recognised in seconds, at a constant pace.

`python -m tests.benchmarks scale` measures larger studies.
"""

import time

import pytest

from tests.tuning.miniature import miniature_study
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.store import Store

LARGE = {
    "search__n_trials": "48", "search__tolerance": "0", "search__n_images": "100",
    "search__top_images": "100", "chunk_images": "2", "n_images": "100",
}  # fmt: skip
"""Settings of one search of 2 small trials and four of 48 trials of 50 chunks."""

FINISHED = LARGE | {"search__n_trials": "20"}
"""Settings of four searches of 20 trials."""


def cpu_seconds(function):
    """Returns the result of a function and its processor seconds in this process only."""
    started = time.process_time()
    return function(), time.process_time() - started


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Returns a finished study of four thousand jobs, and the scheduling time per 500 jobs."""
    store = Store(str(tmp_path_factory.mktemp("large") / "store"), create=True)
    return store, *hand_out_all(store)


def hand_out_all(store):
    scheduler, seconds = Scheduler(miniature_study(**FINISHED), store), []
    n = 0
    while True:
        job, took = cpu_seconds(scheduler.next_job)
        if job in list(Wait):
            break
        if n % 500 == 0:
            seconds.append(0.0)
        seconds[-1] += took
        distance = job.sample.sampler.epsilon if job.stage == "score" else None
        store.commit(
            job.stage, job.key, spec={}, result={"raw": distance, "denoised": distance}, cost={},
            files={},
        )  # fmt: skip
        scheduler.report_stored(job.key)
        n += 1
    return n, seconds


def test_ten_thousand_jobs_are_planned_in_under_two_seconds(store):
    rows, seconds = cpu_seconds(
        lambda: forecast(Scheduler(miniature_study(**LARGE), store), store, "cpu x1")
    )
    assert sum(row.n_to_run for row in rows) > 10_000
    assert seconds < 2


def test_what_is_left_of_four_thousand_finished_jobs_is_known_in_under_two_seconds(finished):
    store, n, _ = finished
    assert n > 3_500  # trials with equal two-digit step sizes share their jobs

    def left():
        scheduler = Scheduler(miniature_study(**FINISHED), store)
        return forecast(scheduler, store, "cpu x1"), scheduler.is_complete()

    (rows, is_complete), seconds = cpu_seconds(left)
    assert is_complete and not any(row.n_to_run for row in rows)
    assert seconds < 2


def test_handing_out_a_job_takes_no_longer_for_those_already_done(finished):
    _, _, seconds = finished
    whole = seconds[:-1]
    assert sum(whole[-3:]) < 2 * sum(whole[:3]) + 0.25

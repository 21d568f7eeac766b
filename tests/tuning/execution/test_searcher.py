"""Tests of the searcher between Tune and the scheduler when the store is temporarily unreadable."""

from pathlib import Path

import pytest

from tests.tuning.miniature import miniature_study
from tuning.execution import searcher as bridge_module
from tuning.execution.ray_import import Searcher
from tuning.execution.searcher import JobSearcher
from tuning.execution.trainable import Execution
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import StoreReadError


@pytest.fixture
def scheduler(store):
    return Scheduler(miniature_study(), store)


@pytest.fixture
def searcher(scheduler, store):
    return JobSearcher(scheduler, Execution(store_url=store.url), None)


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(bridge_module, "time", clock)
    return clock


def away():
    raise StoreReadError("the store must be readable")


def test_a_store_away_for_less_than_a_minute_is_waited_for(searcher, scheduler, clock, monkeypatch):
    for _ in range(2):  # the minute starts again after the store was readable
        with monkeypatch.context() as patch:
            patch.setattr(scheduler, "next_job", away)
            assert searcher.suggest("t") is None
            clock.now += 59
            assert searcher.suggest("t") is None and searcher.refusal is None
        assert isinstance(searcher.suggest("t"), dict)


def test_a_store_away_for_longer_ends_the_run_with_its_message(
    searcher, scheduler, clock, monkeypatch
):
    monkeypatch.setattr(scheduler, "next_job", away)
    assert searcher.suggest("t") is None
    clock.now += 61
    assert searcher.suggest("t") == Searcher.FINISHED
    assert str(searcher.refusal) == "the store must be readable"


def test_a_result_that_cannot_be_read_for_once_is_looked_up_again(searcher, scheduler, store):
    searcher.suggest("first")
    ((job, _),) = scheduler.progress.values()
    for _ in execute(job, ExecutionContext(store=store)):
        pass
    path = Path(store.url) / f"objects/{job.stage}/{job.key}/manifest.json"
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()  # even root cannot read a folder as a file
    searcher.on_trial_complete("first", {"outcome": "stored"})
    assert searcher.refusal is None and not scheduler.is_done(job)
    assert scheduler.failures[job.key].then == "tried again"
    path.rmdir()
    aside.rename(path)
    searcher.suggest("second")
    assert list(scheduler.progress) == [job.key]
    searcher.on_trial_complete("second", {"outcome": "stored"})
    assert scheduler.is_done(job) and not scheduler.failures

"""The bridge between Tune and the scheduler: a store that cannot be read for a while."""

from pathlib import Path

import pytest

from tests.miniature import miniature_study
from tuning import bridge as bridge_module
from tuning.bridge import Bridge
from tuning.documents import StoreReadError
from tuning.jobs import Workplace, execute
from tuning.ray_import import Searcher
from tuning.scheduler import Scheduler
from tuning.trainable import Execution


@pytest.fixture
def scheduler(store):
    return Scheduler(miniature_study(), store)


@pytest.fixture
def bridge(scheduler, store):
    return Bridge(scheduler, Execution(store_url=store.url), None)


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


def test_a_store_away_for_less_than_a_minute_is_waited_for(bridge, scheduler, clock, monkeypatch):
    for _ in range(2):  # the minute begins anew once the store was back
        with monkeypatch.context() as patch:
            patch.setattr(scheduler, "next_job", away)
            assert bridge.suggest("t") is None
            clock.now += 59
            assert bridge.suggest("t") is None and bridge.refusal is None
        assert isinstance(bridge.suggest("t"), dict)


def test_a_store_away_for_longer_ends_the_run_with_its_message(
    bridge, scheduler, clock, monkeypatch
):
    monkeypatch.setattr(scheduler, "next_job", away)
    assert bridge.suggest("t") is None
    clock.now += 61
    assert bridge.suggest("t") == Searcher.FINISHED
    assert str(bridge.refusal) == "the store must be readable"


def test_a_result_that_cannot_be_read_for_once_is_looked_up_again(bridge, scheduler, store):
    bridge.suggest("first")
    ((job, _),) = scheduler.progress.values()
    for _ in execute(job, Workplace(store=store)):
        pass
    path = Path(store.url) / f"objects/{job.stage}/{job.key}/manifest.json"
    aside = path.rename(path.with_suffix(".aside"))
    path.mkdir()  # even root cannot read it
    bridge.on_trial_complete("first", {"outcome": "stored"})
    assert bridge.refusal is None and not scheduler.is_done(job)
    assert scheduler.failures[job.key].then == "tried again"
    path.rmdir()
    aside.rename(path)
    bridge.suggest("second")
    assert list(scheduler.progress) == [job.key]
    bridge.on_trial_complete("second", {"outcome": "stored"})
    assert scheduler.is_done(job) and not scheduler.failures

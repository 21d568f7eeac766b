"""Tests that queries change nothing: proposals are written only when jobs are started."""

import pytest

from tests.tuning.scheduling.test_interleavings import STUDY, commit, finish_all, outcome
from tuning.scheduling.forecast import forecast, stored_jobs
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.store import Store


class Guarded(Store):
    """A store that can be written to only within ``with store:``."""

    may_write = True

    def _writing(self):
        assert self.may_write, "a query wrote to the store"
        return super()._writing()

    def __enter__(self):
        self.may_write = True

    def __exit__(self, *_):
        self.may_write = False


def ask_everything(scheduler, store):
    """Makes all queries that displays make; returns whether the study is complete."""
    for run in scheduler.searches.values():
        trials = run.trials
        assert run.rungs()[0] == trials and run.finalists() == run.rungs()[-1]
        assert (run.winner is None) or run.is_complete
        assert not (run.is_complete and run.wanted())
        assert all(t.values.keys() == run.distributions.keys() for t in trials)
        assert (run.best_so_far is None) == (run.ranked(trials) == [])
        assert run.space is not None and (run.ledger_key or not trials)
    for cell in scheduler.study.cells:
        scheduler.cell_jobs(cell)
    rows = forecast(scheduler, store, "cpu x1")
    assert sum(row.n_stored for row in rows) == len(list(stored_jobs(scheduler)))
    complete = scheduler.is_complete()
    assert not (complete and scheduler.wanted())
    assert not (complete and any(row.n_to_run for row in rows))
    return complete


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("undisturbed") / "store"), create=True)
    finish_all(store)
    return outcome(store)


def test_queries_at_every_moment_write_nothing_and_change_nothing(undisturbed, tmp_path):
    store = Guarded(str(tmp_path / "store"), create=True)
    store.may_write = False
    scheduler = Scheduler(STUDY, store)
    n_ran = 0
    while True:
        # One scheduler that has started jobs, and one that has never started any.
        for asked in (scheduler, Scheduler(STUDY, store)):
            complete = ask_everything(asked, store)
        with store:
            job = scheduler.next_job()
        if isinstance(job, Wait):
            break
        assert not complete, "complete, yet there was a job"
        ask_everything(scheduler, store)
        with store:
            commit(store, job)
            scheduler.report_stored(job.key)
        n_ran += 1
    assert job is Wait.FINISHED and scheduler.is_complete() and n_ran > 50
    assert outcome(store) == undisturbed


def test_a_round_that_is_due_keeps_a_study_from_being_complete(store):
    finish_all(store)
    rounds = sorted(store.folder.glob("ledger/*/round-0001.json"))
    for path in rounds:
        path.unlink()  # as after a crash between the last result of a round and the next round
        for later in path.parent.glob("round-*.json"):
            if later.name > path.name:
                later.unlink()
    assert rounds
    scheduler = Scheduler(STUDY, store)
    assert scheduler.wanted() == [] and not scheduler.is_complete()
    # All results are stored: only the next proposals are missing.
    assert scheduler.next_job() is Wait.FINISHED
    assert scheduler.is_complete() and all(path.exists() for path in rounds)


def test_a_search_proposes_one_round_when_it_is_due_and_only_then(store):
    scheduler = Scheduler(STUDY, store)
    first, *_ = scheduler.searches.values()
    waiting = next(run for run in scheduler.searches.values() if run.search.after)
    assert first.trials == [] and first.wanted() == []
    assert first.propose() and not first.propose(), "proposed again while results are awaited"
    assert len(first.trials) == first.search.space.round_size and first.wanted()
    assert not waiting.propose(), "proposed while the search it starts from is open"
    assert waiting.trials == [] and not waiting.is_complete

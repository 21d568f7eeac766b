"""Tests of joint searches through the engine: promotions, dependent choices, restarts."""

import itertools

import pytest

from tests.tuning.draining import drain
from tests.tuning.miniature import joint_study, miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.stages import Snapshot
from tuning.store.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("joint")), create=True)
    ran = drain(joint_study(), store)
    (run,) = Scheduler(joint_study(), store).searches.values()
    return store, ran, run


def test_the_best_of_each_rung_go_on_to_longer_trainings_and_more_images(finished):
    *_, run = finished
    rungs = run.rungs()
    assert [len(rung) for rung in rungs] == [6, 3, 1]
    for rung, iterations, images in zip(rungs, (2, 4, 6), (10, 20, 30), strict=True):
        for trial in rung:
            assert trial.score.sample.model.iteration == iterations
            assert trial.score.protocol.n_images == images
    for lower, upper in itertools.pairwise(rungs):
        best = sorted(lower, key=lambda t: t.result.of("denoised"))[: len(upper)]
        assert [t.number for t in best] == [t.number for t in upper]
    assert run.winner == rungs[-1][0]


def test_the_first_trial_is_the_papers_choice_and_values_reach_the_training(finished):
    *_, run = finished
    assert run.trials[0].values == {"lambda": 1.0, "n_D": 2}
    assert len({tuple(t.values.items()) for t in run.trials}) == 6
    for trial in run.trials:
        objective = trial.score.sample.model.train.objective
        assert (objective.lambda_, objective.n_d) == (trial.values["lambda"], trial.values["n_D"])


def test_a_promoted_trial_goes_on_where_it_stopped(finished):
    store, ran, run = finished
    assert len({key for _, key in ran}) == len(ran), "a job ran twice"
    (finalist,) = run.finalists()
    train = finalist.score.sample.model.train
    started = [
        store.manifest("train", Snapshot(train=train, iteration=i).key).cost["started_at"]
        for i in (2, 4, 6)
    ]
    assert started == [0, 2, 4], "a longer training began anew"


def test_a_restart_in_the_middle_comes_to_the_same_end(finished, tmp_path):
    store, ran, run = finished
    again = Store(str(tmp_path), create=True)
    place, done = ExecutionContext(store=again), 0
    scheduler = Scheduler(joint_study(), again)
    while (job := scheduler.next_job()) is not Wait.FINISHED:
        for _ in execute(job, place):
            pass
        done += 1
        if done % 7:
            scheduler.report_stored(job.key)
        else:  # killed before its report
            scheduler = Scheduler(joint_study(), again)
    (other,) = scheduler.searches.values()
    assert again.stored_keys() == store.stored_keys() and done == len(ran)
    assert other.ledger_key == run.ledger_key
    assert [t.values for t in other.trials] == [t.values for t in run.trials]
    assert other.winner.values == run.winner.values


def test_more_trials_extend_what_is_there(finished, tmp_path):
    store, *_ = finished
    more = joint_study(keep=(8, 3, 1))
    (run,) = Scheduler(more, store).searches.values()
    (before,) = Scheduler(joint_study(), store).searches.values()
    assert [t.values for t in run.trials] == [t.values for t in before.trials]
    assert not run.is_complete and run.search.n_trials == 8


def test_step_sizes_are_searched_on_the_snapshot_that_was_chosen(tmp_path):
    store = Store(str(tmp_path), create=True)
    study = miniature_study(**{"selection__n_trials": "4", "search__n_trials": "1"})
    drain(study, store)
    runs = Scheduler(study, store).searches
    chosen = runs["snapshot and EMA, non-adversarial"].winner.score.sample
    tried = [(t.score.sample.model.iteration, t.score.sample.ema)
             for t in runs["snapshot and EMA, non-adversarial"].trials]  # fmt: skip
    assert sorted(tried) == [(30, 0.99), (30, 0.999), (60, 0.99), (60, 0.999)]
    for name, run in runs.items():
        if run.search.model_of:
            sample = run.winner.score.sample
            assert (sample.model, sample.ema) == (chosen.model, chosen.ema), name


def test_a_search_waits_for_the_choice_it_rests_on(tmp_path):
    scheduler = Scheduler(miniature_study(), Store(str(tmp_path), create=True))
    for name, run in scheduler.searches.items():
        if run.search.model_of:
            assert run.trials == [] and run.wanted() == [] and not run.is_complete, name

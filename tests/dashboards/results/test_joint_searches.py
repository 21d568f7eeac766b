"""Tests of the displays of joint searches: savings of halving, tables of trials, MLflow runs."""

import pytest

from dashboards.records.mlflow_records import records
from dashboards.results.searches import halving_savings, importances, trial_table
from tests.tuning.draining import drain
from tests.tuning.miniature import joint_study
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("joint")), create=True)
    drain(joint_study(), store)
    (run,) = Scheduler(joint_study(), store).searches.values()
    return store, run


def test_halving_is_counted_in_network_evaluations(finished):
    _, run = finished
    spared = halving_savings(run)
    n_levels = run.space.sample.model.train.schedule.n_levels
    batch = run.space.sample.model.train.batch_size
    # On each rung, only the best trials train further and get more images.
    trained = batch * (6 * 2 + 3 * 2 + 1 * 2)
    sampled = n_levels * (6 * 10 + 3 * 20 + 1 * 30)
    assert spared.evaluations == trained + sampled
    assert spared.in_full == 6 * (batch * 6 + n_levels * 30)


def test_the_table_of_trials_has_the_highest_rung_first(finished):
    _, run = finished
    shown = trial_table(run)
    assert shown["iterations"].tolist() == ["6", "4", "4", "2", "2", "2"]
    assert shown["lambda"].iloc[0] == f"{run.winner.values['lambda']:.3g}"
    assert (shown[""] == "the paper's choice").sum() == 1
    few = trial_table(run, most=1)
    assert 1 <= len(few) <= 2 and "the paper's choice" in few[""].tolist()


def test_in_mlflow_what_only_trials_need_stands_below_their_search(finished):
    store, run = finished
    scheduler = Scheduler(joint_study(), store)
    by_key = {}
    for record in records(scheduler, store):
        assert record.parent is None or record.parent in by_key, "a parent must be written first"
        by_key[record.key] = record
    fixed = {part.key for job in joint_study().fixed_jobs for part in job.parts()}
    trainings = {r.key: r.parent for r in by_key.values() if r.tags["kind"] == "training"}
    assert {key for key, parent in trainings.items() if parent is None} == trainings.keys() & fixed
    assert len(trainings.keys() - fixed) >= 6
    (search,) = {parent for parent in trainings.values() if parent}
    written = by_key[search].metrics
    shares = {n: written.get(f"importance of {n}") for n in run.distributions}
    assert shares == importances(run) and sum(shares.values()) == pytest.approx(1)


def test_importances_wait_for_the_end_of_a_search(finished, tmp_path):
    store = Store(str(tmp_path), create=True)
    drain(joint_study(), store, most=25)
    scheduler = Scheduler(joint_study(), store)
    (run,) = scheduler.searches.values()
    assert not run.is_complete and sum(t.result is not None for t in run.trials) > 1
    (record,) = {r.key: r for r in records(scheduler, store) if r.tags["kind"] == "search"}.values()
    assert record.metrics["trials_done"] > 1
    assert not [name for name in record.metrics if name.startswith("importance")]

"""Tests of the forecast: counts of a study before it runs, and hours learnt from finished jobs."""

from collections import Counter

import pytest

from tests.tuning.draining import drain
from tests.tuning.miniature import joint_study, miniature_study
from tuning.jobs import Work
from tuning.scheduling.forecast import forecast, total
from tuning.scheduling.planner import Planner
from tuning.scheduling.rates import ASSUMED_MULTIPLY_ADDS_PER_SECOND, Rates
from tuning.scheduling.scheduler import Scheduler, Wait

CPU = "cpu x1"


def rows(study, store, device=CPU):
    return {row.stage: row for row in forecast(Scheduler(study, store), store, device)}


def test_an_empty_stores_forecast_is_what_then_runs(store):
    study = miniature_study()
    before = rows(study, store)
    ran = Counter(stage for stage, _ in drain(study, store))
    assert {stage: row.n_to_run for stage, row in before.items()} == dict(ran)
    assert all(row.n_stored == 0 for row in before.values())
    after = rows(study, store)
    assert {stage: row.n_stored for stage, row in after.items()} == dict(ran)
    assert all(row.n_to_run == 0 and row.work == Work() for row in after.values())


@pytest.mark.parametrize("most", [5, 20, 40])
def test_in_the_middle_of_a_study_the_total_is_the_same(store, most):
    study = miniature_study()
    total = {stage: row.n_to_run for stage, row in rows(study, store).items()}
    drain(study, store, most=most)
    now = rows(study, store)
    assert {stage: row.n_stored + row.n_to_run for stage, row in now.items()} == total


def test_a_finished_ladder_needs_nothing_even_where_its_rungs_disagree(store):
    """The results are planted: each rung reverses the order of the rung below."""
    study = joint_study()
    scheduler = Scheduler(study, store)
    while (job := scheduler.next_job()) is not Wait.FINISHED:
        result = {}
        if job.stage == "score":
            strength = job.sample.model.train.objective.lambda_
            value = strength if job.sample.model.iteration == 4 else 1000 - strength
            result = {"raw": value, "denoised": value}
        store.commit(job.stage, job.key, spec={}, result=result, cost={}, files={})
        scheduler.report_stored(job.key)
    (run,) = scheduler.searches.values()
    assert run.is_complete and run.winner.number != run.best_so_far.number
    assert all(row.n_to_run == 0 for row in rows(study, store).values())


def test_training_counts_every_iteration_once(store):
    study = miniature_study()
    work = rows(study, store)["train"].work
    assert work.images == 60 * 128
    assert work.multiply_adds == 3 * 60 * 128 * study.snapshots[0].train.multiply_adds


def test_hours_come_from_a_stated_throughput_until_they_are_measured(store):
    study = miniature_study()
    sampled = rows(study, store)["sample"]
    stated = ASSUMED_MULTIPLY_ADDS_PER_SECOND["cpu"]
    assert sampled.is_estimate
    assert sampled.hours == pytest.approx(sampled.work.multiply_adds / stated / 3600)
    assert sampled.time_left.startswith("est. ") and total([sampled]).mark == "est. "
    scheduler = Scheduler(study, store)
    scheduler.next_job()  # writes proposals
    left = Planner(store).missing(scheduler.wanted())
    job = next(job for job in left if job.stage == "sample")
    drain(study, store, most=15)
    manifest = next(
        m for job in [job] if (m := store.manifest(job.stage, job.key)) is not None
    )  # fmt: skip
    Rates(store).note(job, manifest)
    measured = rows(study, store)["sample"]
    rate = job.work().multiply_adds / manifest.cost["seconds"]
    assert not measured.is_estimate
    assert measured.hours == pytest.approx(measured.work.multiply_adds / rate / 3600)
    assert rows(study, store, "gpu")["sample"].is_estimate, "another device was not timed"

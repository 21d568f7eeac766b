"""Tests of sweeps over a user's job through the engine: numbers, failures, seeds, interruptions."""

import random

import pytest

from scorelib.errors import InputError
from tests.tuning.draining import drain
from tests.tuning.quadratic import LOWEST, RANGES, Quadratic, space, study
from tuning.cells import Cell
from tuning.jobs import Job
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.search.pareto_front import pareto_front
from tuning.spaces import ParameterSpace


def run_of(made, store, **options):
    """Runs a study to its end; returns its only search."""
    drain(made, store, **options)
    scheduler = Scheduler(made, store)
    assert scheduler.is_complete()
    (run,) = scheduler.searches.values()
    return run


def test_a_job_of_one_s_own_is_searched_by_a_number_below_zero(store):
    made = study(space("cma-es"), 48)
    foretold = forecast(Scheduler(made, store), store, "cpu x1")
    run = run_of(made, store)
    assert run.winner.value == min(t.value for t in run.trials) < LOWEST + 0.01
    assert len(run.trials) == 48 and [row.n_to_run for row in foretold] == [48]
    (again,) = Scheduler(made, store).cell_jobs(made.cells[0])
    assert again == run.winner.score.replace(seed=0)  # without seeds: the winner's own job


@pytest.mark.parametrize(("objective", "best"), [("-negative", "max"), ("negative", "min")])
def test_a_number_is_raised_or_lowered_as_the_sweep_says(store, objective, best):
    run = run_of(study(space("random", objectives=[objective]), 12), store)
    values = [t.value for t in run.trials]
    assert run.winner.value == (max if best == "max" else min)(values)
    assert run.ranked(run.trials)[0] == run.winner


def test_several_numbers_give_a_front(store):
    made = study(space("tpe", objectives=["value", "-x"]), 16)
    run = run_of(made, store)
    front = pareto_front(run)
    by_hand = [
        t for t in run.trials
        if not any(o.numbers[0] < t.numbers[0] and o.numbers[1] > t.numbers[1] for o in run.trials)
    ]  # fmt: skip
    assert {t.number for t in front} == {t.number for t in by_hand} and len(front) > 1


def test_trials_are_means_over_training_seeds_and_the_best_gets_fresh_ones(store):
    of = space("random", seed_path="seed", seeds=(0, 1, 2))
    made = study(of, 4, n_seeds=2)
    run = run_of(made, store)
    for trial in run.trials:
        assert [job.seed for job in trial.scores] == [0, 1, 2]
        first, second, third = trial.by_seed[0]
        assert (second - first, third - second) == pytest.approx((0.1, 0.1))
        assert trial.value == pytest.approx(second)
    jobs = Scheduler(made, store).cell_jobs(made.cells[0])
    assert [job.seed for job in jobs] == [3, 4]


@pytest.mark.parametrize(
    ("returns", "cause"),
    [
        ("text", "the result must hold the number 'value', but its numbers are: other"),
        ("nothing", "the job must return an Outcome, but returned NoneType"),
    ],
)
def test_a_job_that_returns_no_number_is_a_failed_trial_with_its_cause(store, returns, cause):
    run = run_of(study(space("random", job=Quadratic(returns=returns)), 4), store)
    assert {t.result.failed for t in run.trials} == {cause} and run.winner is None


def test_a_number_that_is_not_finite_is_a_failed_trial_and_the_search_goes_on(store):
    run = run_of(study(space("tpe", job=Quadratic(returns="nan")), 24), store)
    failed = [t for t in run.trials if t.result.failed]
    assert {t.result.failed for t in failed} == {
        "the numbers of a result must be finite, but value is nan"
    }
    assert failed and all((t.values["x"] > 0.5) == (t in failed) for t in run.trials)
    assert run.winner.value < LOWEST + 0.1


@pytest.mark.parametrize("strategy", ["random", "tpe", "cma-es"])
def test_a_sweep_is_the_same_whatever_the_order_and_the_interruptions(store, strategy, tmp_path):
    from tuning.store.store import Store

    made = study(space(strategy), 16)
    run, other = run_of(made, store), Store(str(tmp_path / "other"), create=True)
    draw = random.Random(0)
    while not Scheduler(made, other).is_complete():
        drain(made, other, most=3, choose=draw.randrange)
    (again,) = Scheduler(made, other).searches.values()
    assert [t.values for t in again.trials] == [t.values for t in run.trials]
    assert other.stored_keys() == store.stored_keys()


def test_the_other_spaces_search_scores_only():
    with pytest.raises(InputError, match=r"template must be a Score, but got .*Quadratic"):
        ParameterSpace(template=Quadratic(), parameters=RANGES)
    with pytest.raises(InputError, match="and a protocol"):
        from tests.tuning.miniature import joint_study

        Cell(row="a", column="b", search=joint_study().searches[0])


def test_seeds_need_a_field():
    with pytest.raises(InputError, match="have a field to be set in"):
        space(seeds=(1, 2))
    assert issubclass(Quadratic, Job)

"""Tests of the strategies of sweeps, against a bowl whose minimum is known."""

import itertools
import math

import numpy as np
import optuna
import pytest

from scorelib.errors import InputError
from tests.tuning.quadratic import BEST_X, BEST_Y, COUNTS, LOWEST, RANGES, space
from tests.tuning.trials import told
from tuning.spaces import OneOf, Range
from tuning.spaces.cma_es import CmaEs


def bowl(values):
    return LOWEST + (values["x"] - BEST_X) ** 2 + (math.log10(values["y"] / BEST_Y) / 4) ** 2


def search(of, n_trials, objective=bowl, first_seed=0):
    """Returns the finished trials of a search in rounds."""
    finished = []
    while len(finished) < n_trials:
        proposed = of.propose(finished, (), first_seed + len(finished))
        if not proposed:
            break
        finished += [told(values, objective(values)) for values in proposed]
    return finished


@pytest.mark.parametrize(
    ("strategy", "n_trials", "within"),
    [("random", 64, 0.05), ("tpe", 48, 0.02), ("gp", 20, 0.01), ("cma-es", 60, 0.002),
     ("optuna.samplers:QMCSampler", 64, 0.05)],
)  # fmt: skip
@pytest.mark.parametrize("sign", [1, -1])
def test_each_strategy_finds_the_minimum_of_a_bowl_and_the_maximum_of_its_mirror(
    strategy, n_trials, within, sign
):
    of = space(strategy, objectives=["value" if sign > 0 else "-value"])
    finished = search(of, n_trials, lambda values: sign * bowl(values))
    assert min(bowl(t.values) for t in finished) < LOWEST + within
    assert len({tuple(t.values.items()) for t in finished}) == len(finished) >= n_trials


def test_a_grid_visits_every_possible_point_once_and_ends():
    finished = search(space("grid", COUNTS), 100, lambda values: values["n"])
    points = [tuple(t.values.values()) for t in finished]
    every = itertools.product("ab", (1, 2, 3), (0.0, 0.5, 1.0))
    assert points == [p for p in every if p[:2] != ("b", 3)]


def test_random_draws_cover_their_ranges_and_depend_on_the_seed_alone():
    of = space("random", round_size=200)
    drawn = of.propose([], (), 1)
    assert drawn == of.propose([], (), 1) != of.propose([], (), 2)
    x = np.array([v["x"] for v in drawn])
    y = np.log10([v["y"] for v in drawn])
    for values, low, high in ((x, -1, 1), (y, -4, 0)):
        shares, _ = np.histogram(values, 4, (low, high))
        assert shares.min() > 30 and low <= values.min() and values.max() <= high


@pytest.mark.parametrize("strategy", ["random", "tpe", "gp", "cma-es"])
def test_proposals_are_a_function_of_results_and_seed(strategy):
    of, finished = space(strategy), search(space("random"), 12)
    np.random.seed(5)
    assert of.propose(list(finished), (), 3) == of.propose(finished, (), 3)
    assert of.propose(finished, (), 3) != of.propose(finished, (), 4)


def test_cma_es_turns_a_narrow_valley_into_a_ball():
    """The condition number of the covariance approaches that of the inverse Hessian, 1e4."""
    strategy, rng = CmaEs(2), np.random.default_rng(0)
    for _ in range(120):
        points = np.array([strategy.ask(rng) for _ in range(strategy.size)])
        costs = (points[:, 0] - 0.4) ** 2 + 1e4 * (points[:, 1] - 0.6) ** 2
        strategy.tell(points[np.argsort(costs)])
    assert costs.min() < 1e-8
    scales = np.linalg.eigvalsh(strategy._covariance)
    assert 1e3 < scales[1] / scales[0] < 1e5


def test_a_failed_trial_counts_as_the_worst():
    of = space("cma-es")
    finished = search(of, 6)
    worst = max(finished, key=lambda t: t.numbers)
    failed = [told(t.values, None) if t is worst else t for t in finished]
    assert of.propose(failed, (), 0) == of.propose(finished, (), 0)


def test_linear_numbers_are_rounded_to_a_thousandth_of_their_range():
    found = Range(name="x", path="x", low=-2.0, high=-1.0)
    assert found.field_value(-1.23456) == -1.235 and found.field_value(-0.5) == -1.0
    whole = Range(name="n", path="n", low=1, high=100, log=True, whole=True, points=3)
    assert whole.grid == (1, 10, 100) and whole.place(10) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"low": 1.0, "high": 1.0}, "low < high must hold, but got low=1, high=1"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low > 0 must hold on a logarithmic scale"),
        ({"low": 0.5, "high": 2.0, "whole": True}, "must be whole"),
        ({"low": 0.0, "high": 1.0, "points": 1}, "must have 2 to 10,000 points, but got 1"),
    ],
)
def test_bad_ranges_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Range(name="x", path="x", **fields)


@pytest.mark.parametrize(
    ("strategy", "parameters", "objectives", "message"),
    [
        ("cma-es", COUNTS, ["value"], "cma-es searches ranges .* choices of kind: use tpe"),
        ("cma-es", RANGES, ["value", "x"], "one objective, but got 2 objectives"),
        ("grid", RANGES, ["value"], "a grid needs a number of points .*'-1..1 5 points'"),
        ("anneal", RANGES, ["value"], "strategy must be one of grid, random, tpe, gp, cma-es"),
        ("nowhere:Sampler", RANGES, ["value"], "needs the module nowhere: give its file"),
        ("optuna.samplers:Nothing", RANGES, ["value"], "must be a class of Optuna samplers"),
        ("tpe", RANGES, ["value", "value"], "objectives of different names"),
    ],
)
def test_strategies_that_cannot_search_a_space_are_refused(
    strategy, parameters, objectives, message
):
    with pytest.raises(InputError, match=message):
        space(strategy, parameters, objectives)


class Middle(optuna.samplers.RandomSampler):
    """A user's sampler that always proposes the middle, then random values."""

    def sample_independent(self, study, trial, name, distribution):
        if trial.number == 0:
            return (distribution.low + distribution.high) / 2
        return super().sample_independent(study, trial, name, distribution)


def test_a_sampler_of_the_user_s_own_is_named_by_module_and_class():
    (first, *_) = space(f"{__name__}:Middle").propose([], (), 0)
    assert first == {"x": 0.0, "y": 0.5}


def test_combinations_that_no_job_allows_are_never_proposed():
    kind, n = OneOf(name="kind", path="kind", values=("a", "b")), COUNTS[1]
    for strategy in ("random", "tpe"):
        found = search(space(strategy, (kind, n)), 12, lambda values: values["n"])
        pairs = {(t.values["kind"], t.values["n"]) for t in found}
        assert ("b", 3) not in pairs and len(pairs) == len(found) >= 4

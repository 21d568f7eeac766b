"""Tests of the TPE sampler: deterministic, no repeats, exhaustive on small spaces, effective."""

import itertools
import math
import statistics

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from scorelib.step_size import round_significant
from tests.tuning.trials import told
from tuning.spaces.tpe_sampler import propose_values

MIXED = {
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "decay": FloatDistribution(1e-3, 1.0, log=True),
    "kind": CategoricalDistribution(("a", "b", "c")),
}
CHOICES = {
    "n": CategoricalDistribution(tuple(range(20))), "kind": CategoricalDistribution(("a", "b")),
    "on": CategoricalDistribution((True, False)),
}  # fmt: skip


def rounded(values):
    return {k: round_significant(v) if isinstance(v, float) else v for k, v in values.items()}


def ask(finished, distributions=MIXED, starts=(), n=2, seed=0, lower_is_better=True):
    return propose_values(
        finished, distributions=distributions, rounded=rounded, starts=starts, n=n, seed=seed,
        lower_is_better=[lower_is_better] if isinstance(lower_is_better, bool) else lower_is_better,
    )  # fmt: skip


def planted(values):
    """Returns a quadratic in two logarithms, with its minimum at 1e-3 and 1e-1 in choice "b"."""
    bowl = math.log10(values["rate"] / 1e-3) ** 2 + math.log10(values["decay"] / 1e-1) ** 2
    return bowl + (0.0 if values["kind"] == "b" else 1.0)


def search(objective, seed, n_trials=30, **options):
    finished = []
    while len(finished) < n_trials:
        proposed = ask(finished, seed=100 * seed + len(finished), **options)
        finished += [told(values, objective(values)) for values in proposed]
    return finished


def at_random(objective, seed, n_trials=30):
    rng = np.random.default_rng(seed)

    def draw(d):
        if isinstance(d, CategoricalDistribution):
            return d.choices[rng.integers(len(d.choices))]
        return float(np.exp(rng.uniform(np.log(d.low), np.log(d.high))))

    drawn = [{name: draw(d) for name, d in MIXED.items()} for _ in range(n_trials)]
    return [told(values, objective(values)) for values in drawn]


def test_proposals_are_a_function_of_the_arguments_alone():
    finished = search(planted, seed=1, n_trials=14)
    first = ask(finished, seed=5)
    np.random.seed(3)
    ask([], seed=9)
    assert ask(list(finished), seed=5) == first
    assert ask(finished, seed=6) != first
    better = [told(f.values, 9.0 - f.value) for f in finished]
    assert ask(better, seed=5) != first, "the results do not count"


def test_starts_come_first_in_order_and_rounded_and_are_not_tried_again():
    starts = [
        {"rate": 0.00123, "decay": 0.5, "kind": "c"}, {"rate": 0.05, "decay": 0.00199, "kind": "a"},
        {"rate": 0.0012, "decay": 0.5, "kind": "c"},
    ]  # fmt: skip
    first = {"rate": 0.0012, "decay": 0.5, "kind": "c"}
    second = {"rate": 0.05, "decay": 0.002, "kind": "a"}
    assert ask([], starts=starts, n=1) == [first]
    assert ask([], starts=starts, n=2) == [first, second]
    assert ask([], starts=starts, n=4)[:2] == [first, second]
    assert ask([told(first, 1.0)], starts=starts, n=1) == [second]
    assert ask([told(first, None)], starts=starts, n=1) == [second]
    both = [told(first, 1.0), told(second, 2.0)]
    assert ask(both, starts=starts, n=1)[0] not in (first, second)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_nothing_is_proposed_twice_and_all_is_rounded(n):
    # The minimum is so narrow that the estimator proposes it again and again.
    finished = search(lambda v: 100 * planted(v), seed=n, n_trials=60, n=n)
    tried = [tuple(f.values.items()) for f in finished]
    assert len(set(tried)) == len(tried) == 60
    assert all(f.values == rounded(f.values) for f in finished)
    for name, distribution in MIXED.items():
        assert all(distribution._contains(distribution.to_internal_repr(f.values[name]))
                   for f in finished)  # fmt: skip


@pytest.mark.parametrize("n", [7, 30, 80, 100])
def test_a_space_of_choices_is_exhausted_and_then_empty(n):
    every = set(itertools.product(*(d.choices for d in CHOICES.values())))
    finished, rounds = [], 0
    while proposed := ask(finished, CHOICES, n=n, seed=rounds):
        assert len(proposed) == min(n, len(every) - len(finished)), "stopped short of the end"
        # So steep that the estimator would repeat the best value rather than try the worst.
        finished += [told(values, math.exp(values["n"])) for values in proposed]
        rounds += 1
    assert {tuple(f.values[name] for name in CHOICES) for f in finished} == every
    assert len(finished) == len(every) == 80


def test_a_planted_optimum_is_found_better_than_by_chance():
    best = {
        how: [min(f.value for f in search_by(planted, seed)) for seed in range(8)]
        for how, search_by in (("joint", search), ("chance", at_random))
    }
    assert statistics.median(best["joint"]) < 0.5 * statistics.median(best["chance"])
    assert sum(a < b for a, b in zip(best["joint"], best["chance"], strict=True)) >= 6


def fragile(values, failure=None):
    """Returns `failure` if the rate is high."""
    return failure if values["rate"] > 3e-3 else planted(values) + 1.0


def test_settings_that_fail_are_avoided():
    def share(trials):
        return statistics.fmean(f.values["rate"] > 3e-3 for f in trials)

    late = [f for seed in range(4) for f in search(fragile, seed)[-12:]]
    assert share(at_random(fragile, 0, 1000)) == pytest.approx(0.51, abs=0.05)
    assert share(late) < 0.25


@pytest.mark.parametrize("failure", [math.nan, math.inf])
def test_a_number_that_is_none_fails_like_no_number(failure):
    numbers = search(lambda values: fragile(values, failure), seed=0)
    assert [f.values for f in numbers] == [f.values for f in search(fragile, seed=0)]


def test_where_all_have_failed_the_next_are_new_all_the_same():
    finished = search(lambda values: None, seed=0, n_trials=12)
    assert len({tuple(f.values.items()) for f in finished}) == 12


def test_to_maximise_is_to_minimise_the_negative():
    lowered = search(planted, seed=2)
    raised = search(lambda v: -planted(v), seed=2, lower_is_better=False)
    assert [f.values for f in raised] == [f.values for f in lowered]
    wrong = search(lambda v: -planted(v), seed=2)
    assert [f.values for f in wrong] != [f.values for f in lowered]


def test_a_failure_counts_as_the_worst_whichever_way_is_better():
    def fragile(values):
        return None if values["rate"] > 3e-3 else planted(values)

    def negative(values):
        value = fragile(values)
        return None if value is None else -value

    raised = search(negative, seed=3, lower_is_better=False)
    assert [f.values for f in raised] == [f.values for f in search(fragile, seed=3)]

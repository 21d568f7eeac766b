"""Tests of the rule that widens and ends a search, with curves whose optimum is known exactly."""

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorelib.step_size import round_significant
from tests.benchmarks.search import other_curves, synthetic_curves, trials_of_ours
from tests.tuning.trials import at_step
from tuning.spaces.bracket import Standing, bracket, open_gap, plateau_range, widened
from tuning.spaces.step_size_sampler import propose_step_sizes, standing

LOW, HIGH, START = 1e-5, 1e-2, 3e-4
TOLERANCE = 0.01


def search(curve, *, most=30, start=START, tolerance=TOLERANCE, n_best=1, errors=()):
    """Returns the trials until the rule ends the search, and where it then stands."""
    seen = []
    where = {"low": LOW, "high": HIGH, "starts": [start]}
    while True:
        (step,) = propose_step_sizes(seen, n=1, seed=len(seen), errors=errors, **where)
        seen.append(at_step(step, curve(step)))
        found = standing(seen, seed=len(seen), n_best=n_best, errors=errors, **where)
        if len(seen) == most or (found and found.is_done(tolerance)):
            return seen, found


def steps(seen):
    return [trial.values["epsilon"] for trial in seen]


def best(seen):
    return min((t for t in seen if t.value is not None), key=lambda trial: trial.value)


def quadratic(at, width=0.8, plateau=math.inf):
    return lambda step: 10 * math.exp(min((math.log(step / at) / width) ** 2, plateau))


@pytest.mark.parametrize("factor", [0.1, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("n_best", [1, 2])
def test_a_quadratic_ends_bracketed_near_its_optimum(factor, n_best):
    seen, found = search(quadratic(factor * START), n_best=n_best)
    assert found.is_bracketed and len(seen) <= 13
    ranked = sorted(seen, key=lambda trial: trial.value)[:n_best]
    for trial in ranked:
        step = trial.values["epsilon"]
        assert min(steps(seen)) < step < max(steps(seen))
    assert best(seen).value < 10 * 1.05
    assert found.below == found.above == "worse"


@pytest.mark.parametrize("factor", [0.1, 1.0, 10.0])
def test_a_valley_between_plateaus_is_found_and_bracketed(factor):
    seen, found = search(quadratic(factor * START, plateau=2.0))
    assert found.is_bracketed and best(seen).value < 10 * 1.05 and len(seen) <= 18


@pytest.mark.parametrize(("power", "side"), [(0.5, "below"), (-0.5, "above")])
def test_a_monotone_curve_is_followed_to_the_end_of_the_interval(power, side):
    seen, found = search(lambda step: 10 * step**power)
    assert getattr(found, side) == "end" and found.is_bracketed
    end = {"below": 1.1e-5, "above": 9.9e-3}[side]
    assert best(seen).values["epsilon"] == pytest.approx(end) and len(seen) <= 12
    assert f"{'lower' if side == 'below' else 'upper'} end of the interval" in found.described()


def test_a_flat_curve_is_tried_up_to_both_ends():
    seen, found = search(lambda step: 14.0)
    assert (found.below, found.above) == ("end", "end")
    assert min(steps(seen)) == 1.1e-5 and max(steps(seen)) == 9.9e-3
    assert found.within == (1.1e-5, 9.9e-3)


@settings(max_examples=15, deadline=None)
@given(
    at=st.floats(math.log(LOW) + 0.2, math.log(HIGH) - 0.2),
    left=st.floats(0.2, 2.0),
    right=st.floats(0.2, 2.0),
    plateau=st.floats(0.5, 4.0),
)
def test_no_search_ends_at_an_edge_that_could_move(at, left, right, plateau):
    def curve(step):
        u = math.log(step) - at
        return 10 * math.exp(min((u / (left if u < 0 else right)) ** 2, plateau))

    seen, found = search(curve, most=40)
    if found.is_done(TOLERANCE):
        low = min(t.values["epsilon"] for t in seen if t.value == best(seen).value)
        assert low > min(steps(seen)) or low == 1.1e-5
        assert low < max(steps(seen)) or low == 9.9e-3


def test_a_smaller_tolerance_goes_on_from_the_same_trials():
    curve = quadratic(2 * START)
    rough, _ = search(curve, tolerance=0.05)
    fine, _ = search(curve, tolerance=0.001)
    assert steps(fine)[: len(rough)] == steps(rough) and len(fine) > len(rough)
    assert best(fine).value <= best(rough).value


def test_failures_alone_end_no_search():
    where = {"low": LOW, "high": HIGH, "starts": [START]}
    assert standing([at_step(START, None)], seed=0, **where) is None
    seen, found = search(lambda step: None, most=12)
    assert found is None and len(seen) == 12


def test_failures_are_worse_trials():
    curve = quadratic(START)
    seen, found = search(lambda step: curve(step) if START / 2 < step < 2 * START else None)
    assert found.is_bracketed and best(seen).value < 10.3


GRID = np.log([1.0, 2, 3, 4, 5, 6, 7, 8, 9])


def bracket_of(tried, errors=0.005, n_best=1):
    """Returns the bracket of values by step size."""
    x, y = np.log(list(tried)), np.log(np.array(list(tried.values())) / min(tried.values()))
    free = np.array([g not in x for g in GRID])
    return bracket(x, y, np.full(len(x), errors), GRID, free, n_best)


def test_a_bracket_is_what_lies_beside_the_best():
    found = bracket_of({2.0: 11.0, 4.0: 10.0, 5.0: 12.0})
    assert (found.below, found.above) == ("worse", "worse")
    assert np.exp([found.low, found.high, *found.best]) == pytest.approx([2, 5, 4, 4])
    assert bracket_of({2.0: 11.0, 4.0: 10.0}).above == "open"
    assert bracket_of({8.0: 11.0, 9.0: 10.0}).above == "end"
    assert bracket_of({8.0: 11.0, 9.0: 10.0}).below == "worse"


def test_values_within_noise_are_no_bracket_and_the_second_best_may_count():
    tried = {2.0: 10.15, 4.0: 10.0, 5.0: 12.0}
    assert bracket_of(tried).below == "worse"  # 1.5% apart, and the error is half a percent
    noisy = bracket_of(tried, errors=0.01)
    assert noisy.below == "open" and np.exp(noisy.best) == pytest.approx([2, 4])
    assert bracket_of(tried, n_best=2).below == "open"


def step_beyond(x, y, promising=None):
    """Returns the step size that widens the bracket; the greatest improvement is at `promising`."""
    free = np.array([g not in x for g in GRID])
    at = bracket(x, np.array(y), np.full(2, 0.005), GRID, free)
    improvement = np.where(free, 0.1, 0.0)
    improvement[np.exp(GRID).round() == promising] = 0.2
    wider = widened(at, x, x[0], GRID, free, improvement)
    return float(np.exp(GRID[wider]).round(6)), at


def test_an_edge_moves_by_twice_the_last_step():
    x = np.log([4.0, 5.0])
    assert step_beyond(x, [0.1, 0.0], promising=9)[0] == 8  # 5 (5/4)^2 = 7.8
    wider, at = step_beyond(x, [0.0, 0.0], promising=9)
    assert at.is_flat and wider == 2  # a half
    done = bracket(x, np.zeros(2), np.full(2, 0.005), x, np.zeros(2, bool))
    assert widened(done, x, x[0], x, np.zeros(2, bool), np.zeros(2)) is None


def test_beyond_a_long_step_the_most_promising_value_is_tried():
    x = np.log([1.0, 3.0])
    assert step_beyond(x, [0.5, 0.0], promising=5)[0] == 5
    assert step_beyond(x, [0.5, 0.0], promising=2)[0] == 4  # inside; the first of equal ones beyond
    assert step_beyond(x, [0.0, 0.0], promising=5)[0] == 9  # on a plateau, the step is doubled


def gap(x, best, free=None):
    """Returns the step size in the middle of the gap that is tried next, or None."""
    x, free = np.log(x), np.ones(len(GRID), bool) if free is None else free
    found = open_gap(x, np.isin(x, np.log(best)), GRID, free)
    return None if found is None else float(np.exp(GRID[found]).round(6))


def test_a_wide_gap_beside_the_best_is_tried_in_its_middle():
    assert gap([3.0, 1.0, 9.0, 2.0], best=[3.0, 9.0]) == 5  # sqrt(27) = 5.2
    assert gap([3.0, 1.0, 9.0, 2.0], best=[1.0, 2.0, 3.0]) is None  # factors of 2, 1.5 and 3
    assert gap([1.0, 6.0, 7.0], best=[6.0]) == 2  # a factor of 6
    assert gap([1.0, 6.0, 7.0], best=[7.0]) is None
    assert gap([9.0], best=[9.0]) is None
    taken = np.abs(GRID - np.log(5.0)) > 0.01
    assert gap([3.0, 9.0], best=[3.0, 9.0], free=taken) == 6
    assert gap([3.0, 9.0], best=[3.0, 9.0], free=GRID < 1) is None


def test_a_search_with_gaps_beside_its_best_goes_on_in_them():
    """The trials are those of a search of this project's demo, whose valley is at 5e-3."""
    told = {7.9e-4: 5.9, 5e-4: 8.13, 2e-3: 6.95, 1.3e-2: 23.9, 9.2e-4: 6.47, 6.7e-4: 6.09}
    seen = [at_step(step, value) for step, value in (told | {7.1e-4: 5.87}).items()]
    where = {"low": 3e-4, "high": 2e-2, "starts": [7.9e-4], "seed": 0, "errors": (0.1,) * 40}
    found = standing(seen, **where)
    assert found.is_bracketed and found.has_gap and not found.is_done(0.05)
    assert propose_step_sizes(seen, n=1, **where) == [5.1e-3]  # sqrt(2e-3 1.3e-2)
    after = [*seen, at_step(5.1e-3, 9.0)]
    assert standing(after, **where).has_gap
    (middle,) = propose_step_sizes(after, n=1, **where)
    assert middle == pytest.approx(math.sqrt(9.2e-4 * 2e-3), rel=0.05)
    after = standing([*after, at_step(middle, 6.4)], **where)
    assert not after.has_gap and after.is_done(0.05)


def test_the_second_trial_tells_a_slope_from_a_plateau():
    (second,) = propose_step_sizes(
        [at_step(START, 10.0)], low=LOW, high=HIGH, starts=[START], n=1, seed=0
    )
    assert abs(math.log(second / START)) >= 0.2


@pytest.mark.parametrize("shift", [0.1, 10.0])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_a_start_wrong_by_ten_costs_at_most_eight_trials_in_the_median(shift, noise):
    curves = [*synthetic_curves(), *other_curves()]
    counts = [trials_of_ours(curve, shift, 0, noise=noise) for curve in curves]
    assert statistics.median(counts) <= 8


def test_a_standing_says_where_the_best_are():
    assert Standing("worse", "worse", 0.004, (1, 1)).is_done(0.01)
    assert not Standing("worse", "worse", 0.02, (1, 1)).is_done(0.01)
    assert not Standing("open", "worse", 0.0, (1, 1)).is_done(0.01)
    assert Standing("end", "worse", 0.0, (1, 1)).is_done(0.01)
    gap = Standing("worse", "worse", 0.004, (1, 1), has_gap=True)
    assert not gap.is_done(0.01) and gap.described().startswith("bracketed with a gap, expected")
    said = Standing("worse", "open", 0.02, (1, 1)).described()
    assert said == "at the upper edge of those tried, expected improvement 2%"
    noisy = Standing("worse", "worse", 0.02, (1, 1), noise=0.1)
    assert noisy.is_done(0.01) and not replace(noisy, noise=0.07).is_done(0.01)
    assert noisy.described() == "bracketed, expected improvement 2% (noise 10%)"


def test_differences_below_the_noise_do_not_steer():
    rng = np.random.default_rng(5)
    noise = {}

    def curve(step):
        noise.setdefault(step, math.exp(0.1 * rng.standard_normal()))
        return round_significant(quadratic(START, width=3.0)(step) * noise[step], 4)

    told, found = search(curve, errors=(0.1,) * 40, most=16)
    low, high = found.within
    assert low <= START <= high
    assert found.is_bracketed or len(told) == 16


@pytest.mark.parametrize("n_trials", [2, 3, 5, 10])
def test_noise_passes_for_a_slope_on_one_plateau_of_a_hundred(n_trials):
    told = np.random.default_rng(n_trials).normal(0, 0.03, (20_000, n_trials))
    worst = np.ptp(told, axis=1) / (math.sqrt(2) * 0.03)
    share = np.mean(worst > plateau_range(n_trials))
    assert 0.004 < share < 0.011  # at most .01, by an inequality; it is exact for two trials


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_noise_on_a_plateau_ends_no_search_and_costs_few_trials(factor):
    spent, true = [], quadratic(factor * START, plateau=1.2)
    for seed in range(12):
        rng = np.random.default_rng(seed)

        def curve(step, rng=rng):
            return true(step) * math.exp(0.03 * rng.standard_normal())

        seen, _ = search(curve, errors=(math.sqrt(2) * 0.03,) * 30)
        if min(true(step) for step in steps(seen)) < 10 * 1.1:
            spent.append(len(seen))
    assert len(spent) >= 11 and max(spent) <= 12

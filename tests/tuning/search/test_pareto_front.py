"""Tests of searches by several numbers: the front, proposals along it, interrupted runs."""

import itertools
import math
import statistics

import pytest

from scorelib.errors import InputError
from scorelib.spec import from_json
from tests.tuning.draining import drain
from tests.tuning.miniature import front_study
from tests.tuning.spaces.test_tpe_sampler import MIXED, ask, at_random
from tests.tuning.trials import told
from tuning.scheduling.scheduler import Scheduler
from tuning.search.pareto_front import dominates, pareto_front
from tuning.spaces.trial import Result, Trial
from tuning.stages import Score
from tuning.store.store import Store

WORST = 10.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("front")), create=True)
    ran = drain(front_study(), store)
    (run,) = Scheduler(front_study(), store).searches.values()
    return store, ran, run


def rival(values):
    """Returns two quadratic functions with different minima: they conflict."""
    rate, decay = (math.log10(values[name]) for name in ("rate", "decay"))
    shift = {"a": 1.0, "b": 0.0, "c": 1.0}[values["kind"]]
    return (rate + 3) ** 2 + (decay + 1) ** 2 + shift, (rate + 2) ** 2 + (decay + 2) ** 2 + shift


def volume(trials):
    """Returns the area that is dominated by any of the trials, below `WORST` in both numbers."""
    area, lowest = 0.0, WORST
    for first, second in sorted(rival(f.values) for f in trials):
        if first < WORST and second < lowest:
            area += (WORST - first) * (lowest - second)
            lowest = second
    return area


def search_by_both(seed, n_trials=40):
    found = []
    while len(found) < n_trials:
        proposed = ask(found, seed=100 * seed + len(found), lower_is_better=(True, True))
        found += [told(v, *rival(v)) for v in proposed]
    return found


def test_proposals_cover_more_of_the_front_than_chance():
    pairs = [
        (volume(search_by_both(seed)), volume(at_random(lambda values: 0.0, seed, 40)))
        for seed in range(6)
    ]
    assert statistics.median(a - b for a, b in pairs) > 0 and sum(a > b for a, b in pairs) >= 5


def test_each_number_is_taken_in_its_own_direction_and_failures_as_the_worst_of_each():
    found = search_by_both(seed=1, n_trials=16)
    turned = [told(f.values, f.value, -f.numbers[1]) for f in found]
    assert ask(turned, seed=7, lower_is_better=(True, False)) == ask(
        found, seed=7, lower_is_better=(True, True)
    )
    assert ask(turned, seed=7, lower_is_better=(True, True)) != ask(
        found, seed=7, lower_is_better=(True, True)
    )
    worst = max(f.value for f in found), max(f.numbers[1] for f in found)
    values = {"rate": 0.01, "decay": 0.01, "kind": "a"}
    assert set(values) == set(MIXED)
    for failed in (told(values, None), told(values, 1.0, math.nan)):
        both = (True, True)
        assert ask([*found, failed], seed=3, lower_is_better=both) == ask(
            [*found, told(values, *worst)], seed=3, lower_is_better=both
        )


def test_the_front_are_the_trials_that_no_other_beats(finished):
    *_, run = finished
    trials = run.trials
    assert len(trials) == 5 and all(len(t.numbers) == 2 for t in trials)
    # The distance is minimised, coverage is maximised.
    pairs = {t.number: t.numbers for t in trials}
    beaten = {
        a for (a, (d, c)), (_, (e, f)) in itertools.product(pairs.items(), repeat=2)
        if e <= d and f >= c and (e, f) != (d, c)
    }  # fmt: skip
    best = pareto_front(run)
    assert {t.number for t in best} == pairs.keys() - beaten and best
    assert [t.value for t in best] == sorted(t.value for t in best)


def test_numbers_that_differ_by_rounding_are_equal():
    shares = [0.1, 0.2, 0.3]
    one, other = sum(shares) / 3, sum(reversed(shares)) / 3
    assert one != other, "the sums would not show it"
    for share, same in ((-one, -other), (-other, -one)):
        assert dominates((4.7, share), (5.2, same)) and not dominates((5.2, same), (4.7, share))
        assert not dominates((4.7, share), (4.7, same))
    assert not dominates((1.0, 3.0), (2.0, 2.0)) and dominates((1.0, 2.0), (1.0, 2.1))


def test_the_numbers_are_those_of_scores_of_the_same_images(finished):
    store, ran, run = finished
    assert len({key for _, key in ran}) == len(ran), "a job ran twice"
    scheduler = Scheduler(front_study(), store)
    for trial in run.trials:
        distance, coverage = trial.scores
        assert distance.chunks() == coverage.chunks()
        found = [scheduler.lookup(score).of("denoised") for score in trial.scores]
        assert tuple(found) == trial.numbers
    assert run.trials[0].values == {"epsilon": 0.01, "ema": 0.999}


def test_a_trial_is_finished_when_all_its_numbers_are_in_and_failed_if_one_is(finished):
    *_, run = finished
    trial, lookup = run.trials[1], run._lookup
    first, second = trial.scores

    def without(score: Score, instead):
        return lambda job: instead if job == score else lookup(job)

    for missing in (first, second):
        for instead in (None, Result({}, "not finite")):
            run._lookup = without(missing, instead)
            found = run._measured(Trial(1, trial.values, trial.scores))
            assert found.numbers == ()
            if instead is None:
                assert found.result is None
            else:
                assert found.result.failed == "not finite" and not found.result.numbers
    run._lookup = lookup


def test_interrupted_anywhere_it_proposes_the_same(finished, tmp_path):
    *_, run = finished
    store = Store(str(tmp_path / "again"), create=True)
    for most in (3, 7, 9, None):
        drain(front_study(), store, most=most)
    (again,) = Scheduler(front_study(), store).searches.values()
    assert [t.values for t in again.trials] == [t.values for t in run.trials]
    assert [t.numbers for t in again.trials] == [t.numbers for t in run.trials]


def test_a_front_of_one_number_or_of_other_images_is_refused(finished):
    *_, run = finished
    space = run.search.space
    assert from_json(space.to_json()) == space
    (coverage,) = space.other_protocols
    for also in ((), (space.protocol,), (coverage.replace(n_images=80),),
                 (coverage.replace(seeds="fresh"),)):  # fmt: skip
        with pytest.raises(InputError, match="two or more different metrics of the same images"):
            space.replace(other_protocols=also)

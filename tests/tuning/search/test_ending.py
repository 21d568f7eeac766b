"""Tests of the end of searches: the rule, the cap, what extends a search, and interruptions."""

import dataclasses
import math

import pytest

from tests.tuning.miniature import miniature_study
from tests.tuning.spaces.test_spaces import EMA, LAMBDA, space
from tuning.cells import Search
from tuning.search.search import SearchRun
from tuning.spaces import EPSILON, Rung
from tuning.spaces.trial import Result
from tuning.store.ledger import Ledger

SPACE = next(s for s in miniature_study().searches if s.name == "als n_sigma=1, non-adversarial")
SPACE = SPACE.space
BEST = 0.004


def distance(score):
    """Returns a distance that is lowest at `BEST`."""
    return 10 * math.exp((math.log(score.sample.sampler.epsilon / BEST) / 0.8) ** 2)


def search(n_trials=30, start=0.004, **fields):
    starts = ({EPSILON: start},)
    return Search(name="s", space=SPACE, n_trials=n_trials, starts=starts, **fields)


def run_of(of, store, value=distance):
    """Returns a run of a search whose results are stored as soon as they are wanted."""
    known = {}

    def lookup(score):
        return known.get(score.key)

    run = SearchRun(of, Ledger(store), lookup)
    while True:
        run.propose()
        wanted = run.wanted()
        if not wanted:
            return run
        for score in wanted:
            known[score.key] = Result({"raw": 1.0, "denoised": value(score)})


def steps(run):
    return [trial.values[EPSILON] for trial in run.trials]


def written(store):
    return {p.name: p.read_bytes() for p in store.folder.glob("ledger/*/*.json")}


@pytest.mark.parametrize("start", [0.0006, 0.002, 0.004, 0.011])
def test_a_search_ends_bracketed_and_says_so(store, start):
    run = run_of(search(start=start), store)
    assert run.is_complete and run.is_spent and 3 <= len(run.trials) < 15
    assert run.ending.startswith("bracketed, expected improvement ")
    assert run.standing.improvement < run.search.tolerance
    assert len(written(store)) == len(run.trials), "a round was proposed after the end"
    best = run.winner.values[EPSILON]
    assert min(steps(run)) < best < max(steps(run))
    assert distance(run.winner.score) < 10.3


def test_the_best_of_the_next_rung_are_all_bracketed(store):
    ladder = (Rung(n_images=60, keep=3),)

    def value(score):  # on more images the third best wins
        images = score.protocol.n_images
        return distance(score) if images == 40 else -distance(score)

    run = run_of(search(ladder=ladder), store, value)
    winner = run.winner.values[EPSILON]
    assert run.winner.number == run.ranked(run.trials)[2].number
    assert min(steps(run)) < winner < max(steps(run))


def test_at_the_cap_the_search_says_where_it_stands(store):
    run = run_of(search(n_trials=2, start=0.0004), store)
    assert run.is_complete and len(run.trials) == 2
    assert run.ending.startswith("the cap of 2, at the ")
    assert "edge of those tried, expected improvement" in run.ending


def test_a_higher_cap_goes_on_in_the_same_ledger_as_if_it_had_always_been(store, tmp_path):
    first = run_of(search(n_trials=3, start=0.0006), store)
    few = written(store)
    more = run_of(search(start=0.0006), store)
    assert more.ledger_key == first.ledger_key
    assert steps(more)[:3] == steps(first) and len(more.trials) > 3
    assert {name: written(store)[name] for name in few} == few
    again = run_of(search(n_trials=3, start=0.0006), store)
    assert steps(again) == steps(first) and again.winner.values == first.winner.values


def test_a_smaller_tolerance_goes_on_and_the_larger_one_still_ends_where_it_did(store):
    rough = run_of(search(tolerance=0.03), store)
    fine = run_of(search(tolerance=0.002), store)
    assert fine.ledger_key == rough.ledger_key
    assert steps(fine)[: len(rough.trials)] == steps(rough) and len(fine.trials) > len(rough.trials)
    again = run_of(search(tolerance=0.03), store)
    assert steps(again) == steps(rough) and again.ending == rough.ending


def test_a_search_interrupted_after_every_result_writes_the_same_ledger(store, tmp_path):
    whole = run_of(search(start=0.0006), store)
    expected, known = written(store), {}
    for path in store.folder.glob("ledger/*/*.json"):
        path.unlink()
    for _ in range(100):  # a new process after each step
        run = SearchRun(search(start=0.0006), Ledger(store), lambda score: known.get(score.key))
        run.propose()
        if not run.wanted():
            break
        score = run.wanted()[0]
        known[score.key] = Result({"raw": 1.0, "denoised": distance(score)})
    assert run.is_complete and written(store) == expected and steps(run) == steps(whole)


def test_without_a_tolerance_every_trial_is_made(store):
    run = run_of(search(n_trials=12, tolerance=0.0), store)
    assert len(run.trials) == 12 and run.ending == "the cap of 12"
    assert run.search.budget == "12" and search().budget == "up to 30"


def test_spaces_without_a_rule_run_to_their_cap_or_until_all_is_tried(store):
    of = Search(name="s", space=space(LAMBDA), n_trials=4, starts=())
    run = run_of(of, store, lambda score: 1.0)
    assert len(run.trials) == 4 and run.ending == "the cap of 4" and run.search.budget == "4"
    few = dataclasses.replace(of, space=space(EMA), n_trials=9)
    run = run_of(few, store, lambda score: 1.0)
    assert len(run.trials) == 2 and run.ending == "all values tried"


def test_a_search_that_runs_has_not_ended(store):
    run = SearchRun(search(), Ledger(store), lambda score: None)
    assert run.ending == "" and run.propose() and run.ending == "" and run.standing is None

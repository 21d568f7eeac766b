"""Tests of the trials that samplers are given: in order, rounded, after complete rounds."""

from dataclasses import dataclass

from tests.tuning.spaces.test_spaces import LAMBDA, TEMPLATE
from tuning.cells import Search
from tuning.search.search import SearchRun
from tuning.spaces import ParameterSpace
from tuning.spaces.trial import Result
from tuning.store.ledger import Ledger

TOLD = []


@dataclass(frozen=True, kw_only=True)
class Recorded(ParameterSpace):
    """A parameter space that records the trials it is given."""

    def propose(self, finished, starts, seed):
        TOLD.append(list(finished))
        return super().propose(finished, starts, seed)


def test_samplers_are_told_four_digits_in_order_and_nothing_of_an_open_round(store):
    TOLD.clear()
    space = Recorded(template=TEMPLATE, parameters=(LAMBDA,), round_size=2)
    search = Search(name="s", space=space, n_trials=5, starts=({"lambda": 1.0},))
    results = {}
    run = SearchRun(search, Ledger(store), lambda score: results.get(score.key))
    values = iter([1.23456789, None, 98765.4321, 0.000123449, 7.0])
    while run.propose():
        for score in reversed(run.wanted()):  # the last one ends first
            assert not run.propose(), "a round was proposed while another is open"
            value = next(values, None)
            results[score.key] = (
                Result({}, "not finite")
                if value is None
                else Result({"raw": 1.0, "denoised": value})
            )
    assert run.is_complete and len(run.trials) == 5
    assert [len(finished) for finished in TOLD] == [0, 2, 4]
    *_, last = TOLD
    assert [trial.numbers for trial in last] == [(), (1.235,), (0.0001234,), (98770.0,)]
    assert [trial.values for trial in last] == [trial.values for trial in run.trials[:4]]
    # Displayed numbers are not rounded.
    assert [trial.value for trial in run.trials[:4]] == [None, 1.23456789, 0.000123449, 98765.4321]
    assert run.winner.number == 2

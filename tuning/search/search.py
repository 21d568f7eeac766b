"""Running searches: from the ledger and the store to what is wanted next.

A search advances in rounds. Its state is nothing but its ledger (what was proposed) and the store
(what came of it), so it is worked out anew at each launch and after each result, and its outcome
depends on specs alone: results are taken in the order of proposal, rounded to four digits, and only
when the whole round is in; the sampler is seeded from the ledger's key and the round's number.

When all trials are in, the ladder measures the best of them again, on more images and perhaps after
a longer training, rung by rung, and the best of the last rung is the winner: successive halving,
with the store as its memory.
"""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from optuna.distributions import BaseDistribution

from scorelib.errors import InputError
from scorelib.samplers import AnnealedSampler
from scorelib.seeds import seed_of
from scorelib.spec import Spec
from scorelib.step_size import round_significant
from tuning.spaces import EPSILON, SearchSpace, StepSizeSpace
from tuning.spaces.trial import Lookup, Result, Trial
from tuning.stages import Score
from tuning.store.ledger import Ledger, Values
from tuning.study import Search

_TOLD_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Proposals(Spec):
    """A sequence of proposals: what its ledger is kept under.

    Attributes:
        space: what is searched.
        starts: for each start, its values in the order of their names.
    """

    KIND = "Proposals"

    space: SearchSpace
    starts: tuple[tuple[bool | int | float | str, ...], ...]


class SearchRun:
    """A search in progress.

    Args:
        search: the search.
        ledger: where its proposals are.
        lookup: gives a score's result if it is finished.
        earlier: the runs of the searches it may rest on, by name.
        lock: held while the state is brought up to date; the one that `lookup` takes, if it takes
            any.

    Its attributes may be read from several threads.
    """

    def __init__(
        self,
        search: Search,
        ledger: Ledger,
        lookup: Lookup,
        earlier: "Mapping[str, SearchRun] | None" = None,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        runs = earlier or {}
        self._lock = lock or threading.RLock()
        self.search, self._ledger, self._lookup = search, ledger, lookup
        self._after = runs[search.after.name] if search.after else None
        self._model_of = runs[search.model_of.name] if search.model_of else None
        self._rounds: list[list[Values]] = []
        self._opened: Proposals | None = None
        self._starts_of_ledger: tuple[Values, ...] | None = None
        self._space: SearchSpace | None = None
        self._finished: dict[tuple[int, int], Trial] = {}
        self._scores: dict[tuple[int, int], tuple[Score, ...]] = {}

    @property
    def space(self) -> SearchSpace:
        """What is searched: with the chosen snapshot, once that is known."""
        return self._resolved() or self.search.space

    def _resolved(self) -> SearchSpace | None:
        """The space on the snapshot it samples from; None while that is not chosen."""
        if self._model_of is None:
            return self.search.space
        if not self._model_of.is_complete:
            return None
        if self._space is None:
            space, chosen = self.search.space, self._model_of.winner
            if chosen is not None:
                best = chosen.score.sample
                sample = space.sample.replace(model=best.model, ema=best.ema)
                space = space.replace(template=space.template.replace(sample=sample))
            self._space = space
        return self._space

    @property
    def trials(self) -> list[Trial]:
        """All trials proposed within the budget, in order, on the first rung."""
        with self._lock:
            self._open_ledger()
            proposed = [values for proposals in self._rounds for values in proposals]
            return [self._trial(i, v) for i, v in enumerate(proposed[: self.search.n_trials])]

    def _trial(self, number: int, values: Values, rung: int = 0) -> Trial:
        identity = (number, rung)
        if identity in self._finished:
            return self._finished[identity]
        if identity not in self._scores:
            on = self.search.ladder[rung - 1] if rung else None
            self._scores[identity] = self.space.scores(values, on)
        trial = self._measured(Trial(number, values, self._scores[identity]))
        if trial.result is not None:
            self._finished[identity] = trial
        return trial

    def _measured(self, trial: Trial) -> Trial:
        """The trial with what is known of it: nothing until all its scores are in."""
        results = [found for score in trial.scores if (found := self._lookup(score))]
        if len(results) < len(trial.scores):
            return trial
        failed = next((result.failed for result in results if result.failed), None)
        if failed is not None:
            return replace(trial, result=Result({}, failed))
        numbers = tuple(result.numbers[self.search.space.output] for result in results)
        return replace(trial, result=results[0], numbers=numbers)

    def wanted(self) -> list[Score]:
        """The scores the search waits for; none if it is done, a round is due, or another is."""
        return [s for t in self.finalists() if t.result is None for s in t.scores]

    @property
    def winner(self) -> Trial | None:
        """The best trial of the last rung; None while any result is missing or if all failed."""
        if not self.is_complete:
            return None
        return self._best(self.finalists())

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to propose or to measure."""
        with self._lock:
            rungs = self.rungs()
            return self._is_spent(rungs[0]) and all(t.result for t in rungs[-1])

    def _is_spent(self, trials: list[Trial]) -> bool:
        """Whether no round follows these trials: they use up the budget, or all there is to try."""
        is_exhausted = bool(self._rounds) and not self._rounds[-1]
        return len(trials) >= self.search.n_trials or is_exhausted

    @property
    def best_so_far(self) -> Trial | None:
        """The best finished trial of the first rung."""
        return self._best(self.trials)

    def _best(self, trials: list[Trial]) -> Trial | None:
        ranked = self.ranked(trials)
        return ranked[0] if ranked else None

    def ranked(self, trials: list[Trial]) -> list[Trial]:
        """Finished trials with a value, best first; the earlier first among equals."""
        sign = 1 if self.search.space.protocol.lower_is_better else -1
        valued = [(t, t.value) for t in trials if t.value is not None]
        return [t for t, _ in sorted(valued, key=lambda item: (sign * item[1], item[0].number))]

    def rungs(self) -> list[list[Trial]]:
        """The trials of every rung reached, the first rung first; open ones included."""
        with self._lock:
            reached = [self.trials]
            ladder = self.search.ladder if self._is_spent(reached[0]) else ()
            for number, rung in enumerate(ladder, start=1):
                if any(t.result is None for t in reached[-1]):
                    break
                kept = self.ranked(reached[-1])[: rung.keep]
                reached.append([self._trial(t.number, t.values, number) for t in kept])
            return reached

    def finalists(self) -> list[Trial]:
        """The trials of the highest rung reached; open ones included."""
        return self.rungs()[-1]

    def propose(self) -> bool:
        """Writes the next round to the ledger if the round is due; returns whether it was.

        A round is due when all trials before it are finished and no search that this one rests on
        is waited for. An empty round says that all there is has been tried.
        """
        with self._lock:
            trials = self.trials
            if self._opened is None or self._starts_of_ledger is None:
                return False
            if self._is_spent(trials) or any(t.result is None for t in trials):
                return False
            number = len(self._rounds)
            proposals = self.space.propose(
                [_as_told(trial) for trial in trials],
                self._starts_of_ledger,
                seed_of("proposals", self._opened.key, number),
            )
            self._ledger.write(self._opened.key, number, proposals)
            # As the ledger gives them back: what shows a trial shows the same after another launch.
            self._rounds.append([dict(sorted(values.items())) for values in proposals])
            return True

    def _starts(self) -> tuple[Values, ...] | None:
        """First values; None while the search they are carried over from is not done."""
        if self._after is None:
            return self.search.starts
        if not self._after.is_complete:
            return None
        winner = self._after.winner
        if winner is None:
            return self.search.starts
        space, sampler = self.space, winner.score.sample.sampler
        assert isinstance(space, StepSizeSpace) and isinstance(sampler, AnnealedSampler)
        try:
            schedule = space.sample.model.train.schedule
            carried = sampler.extrapolated(schedule, space.sampler.n_sigma)
        except InputError:  # the rule has no answer, such as a beta of 1 or more
            return self.search.starts
        return ({EPSILON: round_significant(carried)}, *self.search.starts)

    @property
    def ledger_key(self) -> str:
        """Key of the proposals, which tells searches begun from other starts apart; "" so far."""
        with self._lock:
            self._open_ledger()
            return self._opened.key if self._opened else ""

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Each parameter's range."""
        return self.space.distributions(self._starts_of_ledger or self.search.starts)

    def _open_ledger(self) -> None:
        """Reads the proposals made from these starts, once space and starts are known.

        The starts are part of the ledger's key: another winner of the search they are carried over
        from, or other first values, begin another sequence of proposals. (Their results, where they
        meet, are shared through the store all the same.)
        """
        space, starts = self._resolved(), self._starts()
        if space is None or starts is None or starts == self._starts_of_ledger:
            return
        in_order = tuple(tuple(start[name] for name in sorted(start)) for start in starts)
        proposals = Proposals(space=space, starts=in_order)
        self._rounds = self._ledger.rounds(proposals.key)
        self._finished, self._scores = {}, {}
        self._opened, self._starts_of_ledger = proposals, starts


def _as_told(trial: Trial) -> Trial:
    """The trial as samplers see it: the rounding of another machine cannot steer them."""
    return replace(trial, numbers=tuple(round_significant(n, _TOLD_DIGITS) for n in trial.numbers))

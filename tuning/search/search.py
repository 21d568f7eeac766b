"""Running searches: their trials, their next proposals and their winners.

A search advances in rounds. Its state consists of the ledger (the proposals) and the store (the
results), and is recomputed at each launch and after each result. The outcome depends on the specs
alone: the sampler sees results in the order of proposal, rounded to four digits, and only when all
results of the round are stored; its seed is derived from the key of the proposals and the number of
the round.

A search over a step size ends when its best trials are bracketed and the expected improvement is
below the tolerance (`tuning.spaces.bracket`), and any search ends at its cap of trials. The rule is
applied after every round, so the trials of a search are the first rounds of its ledger, however
many rounds a search with a higher cap or a smaller tolerance has added.

When all trials are finished, successive halving chooses the winner. Each rung of the ladder
measures the best trials of the rung before again, on more images and optionally after longer
training. Where the noise of the results is known (`tuning.spaces.noise`), only trials that cannot
be told from the best are measured again, and none if the best stands alone. The winner is the best
trial of the last rung.
"""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from optuna.distributions import BaseDistribution, CategoricalDistribution

from scorelib.errors import InputError
from scorelib.samplers import AnnealedSampler
from scorelib.seeds import seed_of
from scorelib.spec import Spec
from scorelib.step_size import round_significant
from tuning.cells import Search
from tuning.jobs import Job
from tuning.spaces import SearchSpace, StepSizeSpace
from tuning.spaces.bracket import Standing
from tuning.spaces.trial import Lookup, Result, Trial
from tuning.stages import Score
from tuning.store.ledger import Ledger, Values

_TOLD_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Proposals(Spec):
    """The identity of a sequence of proposals, whose key names its part of the ledger.

    Attributes:
        space: search space.
        starts: values tried first, one tuple per start, each in the order of the parameter names.
    """

    KIND = "Proposals"

    space: SearchSpace
    starts: tuple[tuple[bool | int | float | str, ...], ...]


class SearchRun:
    """A running search.

    The properties are thread-safe.

    Args:
        search: the search.
        ledger: ledger that holds the proposals.
        lookup: function that returns the result of a score, or None while it is not finished.
        earlier: runs of the searches that this search may depend on, by name.
        lock: reentrant lock held while the state is updated. If `lookup` takes a lock, it must be
            the same lock. None creates a lock.
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
        self._scores: dict[tuple[int, int], tuple[Job, ...]] = {}
        self._standings: dict[int, Standing | None] = {}  # by number of finished rounds
        # Nothing of a complete search changes, and the searches after it ask for it all the time.
        self._complete: tuple[tuple[list[Trial], int], list[list[Trial]]] | None = None

    @property
    def space(self) -> SearchSpace:
        """Search space, with the snapshot chosen by the `model_of` search once it is known."""
        return self._resolved() or self.search.space

    def _resolved(self) -> SearchSpace | None:
        """Returns the space with its final snapshot; None while the snapshot is not chosen."""
        if self._model_of is None:
            return self.search.space
        if not self._model_of.is_complete:
            return None
        if self._space is None:
            space, chosen = self.search.space, self._model_of.winner
            if chosen is not None and (best := chosen.sample) is not None:
                sample = space.sample.replace(model=best.model, ema=best.ema)
                space = space.replace(template=Score(sample=sample, protocol=space.protocol))
            self._space = space
        return self._space

    @property
    def trials(self) -> list[Trial]:
        """All trials of the first rung until the search ends, in order of proposal."""
        with self._lock:
            return self._trials_of_rounds()[0]

    def _trials_of_rounds(self) -> tuple[list[Trial], int]:
        """Returns the trials until the search ends, and the number of their rounds."""
        if self._complete is not None:
            return self._complete[0]
        self._open_ledger()
        trials: list[Trial] = []
        for n_rounds, proposals in enumerate(self._rounds):
            if len(trials) >= self.search.n_trials or self._is_done(trials, n_rounds):
                return trials, n_rounds
            left = self.search.n_trials - len(trials)
            trials += [self._trial(len(trials) + i, v) for i, v in enumerate(proposals[:left])]
        return trials, len(self._rounds)

    def _is_done(self, trials: list[Trial], n_rounds: int) -> bool:
        """Returns whether the rule of the space ends the search after some rounds."""
        standing = self._standing(trials, n_rounds)
        return standing is not None and standing.is_done(self.search.tolerance)

    def _standing(self, trials: list[Trial], n_rounds: int) -> Standing | None:
        """Returns where the search stands after some rounds; None while a trial is unfinished."""
        if not trials or not self.search.ends_early or any(t.result is None for t in trials):
            return None
        if n_rounds not in self._standings:
            assert self._opened is not None and self._starts_of_ledger is not None
            self._standings[n_rounds] = self.space.standing(
                [_as_told(trial) for trial in trials],
                self._starts_of_ledger,
                self._seed(n_rounds),
                self.search.ladder[0].keep if self.search.ladder else 1,
            )
        return self._standings[n_rounds]

    def _seed(self, n_rounds: int) -> int:
        """Returns the seed of the proposals that follow some rounds."""
        assert self._opened is not None
        return seed_of("proposals", _seeded_as(self._opened).key, n_rounds)

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
        """Returns the trial with its result if all its scores are finished, else unchanged."""
        results = [found for score in trial.scores if (found := self._lookup(score))]
        if len(results) < len(trial.scores):
            return trial
        failed = next((result.failed for result in results if result.failed), None)
        if failed is not None:
            return replace(trial, result=Result({}, failed))
        try:
            return replace(trial.measured(self.space.by_seed(results)), result=results[0])
        except InputError as error:
            return replace(trial, result=Result({}, str(error)))

    def wanted(self) -> list[Job]:
        """Returns the jobs that the search is waiting for.

        The list is empty if the search is complete, if a new round is due, or while the search
        waits for another search.
        """
        return [s for t in self.finalists() if t.result is None for s in t.scores]

    @property
    def winner(self) -> Trial | None:
        """The best trial of the last rung; None if a result is missing or all trials failed."""
        if not self.is_complete:
            return None
        return self._best(self.finalists())

    @property
    def is_complete(self) -> bool:
        """Whether no trial is left to propose or to measure."""
        with self._lock:
            if self._complete is None and self.is_spent:
                rungs = self.rungs()
                if all(trial.result for trial in rungs[-1]):
                    self._complete = self._trials_of_rounds(), rungs
            return self._complete is not None

    @property
    def is_spent(self) -> bool:
        """Whether no round of proposals follows; see `ending`."""
        return bool(self.ending)

    @property
    def ending(self) -> str:
        """Why no trial follows, in a few words; "" while trials may follow."""
        with self._lock:
            trials, n_rounds = self._trials_of_rounds()
            standing = self._standing(trials, n_rounds)
            if self._rounds and not self._rounds[-1] and n_rounds == len(self._rounds):
                return "all values tried"
            if standing is not None and standing.is_done(self.search.tolerance):
                return standing.described()
            if len(trials) < self.search.n_trials:
                return ""
            cap = f"the cap of {self.search.n_trials}"
            return f"{cap}, {standing.described()}" if standing else cap

    @property
    def standing(self) -> Standing | None:
        """Where the search stands after its trials; None without a rule, or if one is running."""
        with self._lock:
            return self._standing(*self._trials_of_rounds())

    @property
    def within_noise(self) -> tuple[float, float] | None:
        """Lowest and highest step size within noise of the best; None until the search has ended.

        None also for a space without a rule that ends a search. The interval contains the winner.
        """
        standing, winner = self.standing, self.winner
        if standing is None or winner is None or not isinstance(self.space, StepSizeSpace):
            return None
        best = float(winner.values[self.space.step_size])
        return min(standing.within[0], best), max(standing.within[1], best)

    @property
    def best_so_far(self) -> Trial | None:
        """The best finished trial of the first rung; None if there is none."""
        return self._best(self.trials)

    def _best(self, trials: list[Trial]) -> Trial | None:
        ranked = self.ranked(trials)
        return ranked[0] if ranked else None

    def ranked(self, trials: list[Trial]) -> list[Trial]:
        """Returns the finished trials with a value, best first; ties are sorted by trial number."""
        sign = 1 if self.search.space.lower_is_better[0] else -1
        valued = [(t, t.value) for t in trials if t.value is not None]
        return [t for t, _ in sorted(valued, key=lambda item: (sign * item[1], item[0].number))]

    def rungs(self) -> list[list[Trial]]:
        """Returns the trials of each rung reached so far, first rung first, finished or not."""
        with self._lock:
            if self._complete is not None:
                return self._complete[1]
            reached = [self.trials]
            ladder = self.search.ladder if self.is_spent else ()
            for number, rung in enumerate(ladder, start=1):
                if any(t.result is None for t in reached[-1]):
                    break
                equal = self.space.equal_to_best(reached[-1])
                kept = [t for t in self.ranked(reached[-1]) if t.number in equal][: rung.keep]
                if len(kept) == 1 < rung.keep:  # nothing is left to tell apart
                    break
                reached.append([self._trial(t.number, t.values, number) for t in kept])
            return reached

    def finalists(self) -> list[Trial]:
        """Returns the trials of the highest rung reached so far, finished or not."""
        return self.rungs()[-1]

    def propose(self) -> bool:
        """Writes the next round of proposals to the ledger if a round is due.

        A round is due when all earlier trials are finished, the search has not ended, and the
        searches that this search depends on are complete. An empty round means that all values of
        the space have been tried.

        Returns:
            Whether a round was written.
        """
        with self._lock:
            trials = self.trials
            if self._opened is None or self._starts_of_ledger is None:
                return False
            if self.is_spent or any(t.result is None for t in trials):
                return False
            number = len(self._rounds)
            proposals = self.space.propose(
                [_as_told(trial) for trial in trials], self._starts_of_ledger, self._seed(number)
            )
            self._ledger.write(self._opened.key, number, proposals)
            # In the order the ledger returns, so that displays are the same after another launch.
            self._rounds.append([dict(sorted(values.items())) for values in proposals])
            return True

    def _starts(self) -> tuple[Values, ...] | None:
        """Returns the values tried first; None while the search they come from is not complete."""
        if self._after is None:
            return self.search.starts
        if not self._after.is_complete:
            return None
        winner = self._after.winner
        if winner is None:
            return self.search.starts
        assert winner.sample is not None
        space, sampler = self.space, winner.sample.sampler
        assert isinstance(space, StepSizeSpace) and isinstance(sampler, AnnealedSampler)
        try:
            return (space.carried(sampler), *self.search.starts)
        except InputError:  # the rule does not apply, such as for beta >= 1
            return self.search.starts

    @property
    def ledger_key(self) -> str:
        """Key of the proposals, which depends on space and starts; "" while these are unknown."""
        with self._lock:
            self._open_ledger()
            return self._opened.key if self._opened else ""

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Range of each parameter, as Optuna distributions by parameter name."""
        return self.space.distributions(self._starts_of_ledger or self.search.starts)

    def _open_ledger(self) -> None:
        """Reads the proposals from the ledger, once the space and the starts are known.

        The starts are part of the ledger's key: if the starts change, for example because another
        trial wins the search they come from, a new sequence of proposals begins. Sequences that
        propose the same values still share results through the store.
        """
        space, starts = self._resolved(), self._starts()
        if space is None or starts is None or starts == self._starts_of_ledger:
            return
        in_order = tuple(tuple(start[name] for name in sorted(start)) for start in starts)
        proposals = Proposals(space=space, starts=in_order)
        ranges = space.distributions(starts)
        self._rounds = self._ledger.rounds(proposals.key, lambda values: _fits(values, ranges))
        self._finished, self._scores, self._standings = {}, {}, {}
        self._opened, self._starts_of_ledger = proposals, starts


def _seeded_as(proposals: Proposals) -> Proposals:
    """Returns the proposals whose key seeds these: of the model that was exported, if any."""
    template = proposals.space.template
    if not isinstance(template, Score):
        return proposals
    sample, model = template.sample, template.sample.model.seeded_as
    if model is sample.model:
        return proposals
    ema = model.decays[0] if model.decays else None
    score = template.replace(sample=sample.replace(model=model, ema=ema))
    return proposals.replace(space=proposals.space.replace(template=score))


def _fits(values: Values, ranges: Mapping[str, BaseDistribution]) -> bool:
    """Returns whether a proposal has the parameters of a search, each with a possible value."""
    return values.keys() == ranges.keys() and all(
        value in at.choices
        if isinstance(at := ranges[name], CategoricalDistribution)
        else not isinstance(value, (bool, str))
        for name, value in values.items()
    )


def _as_told(trial: Trial) -> Trial:
    """Returns the trial with rounded values, so that proposals do not depend on the machine."""
    return replace(trial, numbers=tuple(round_significant(n, _TOLD_DIGITS) for n in trial.numbers))

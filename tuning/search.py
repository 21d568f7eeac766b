"""Running searches: from the ledger and the store to what is wanted next.

A search advances in rounds. Its state is nothing but its ledger (what was proposed) and the store
(what came of it), so it is worked out anew at each launch and after each result, and its outcome
depends on specs alone: results are taken in the order of proposal, rounded to four digits, and only
when the whole round is in; the proposer is seeded from the ledger's key and the round's number.

When all trials are in, the ladder re-measures the best of them on more images, rung by rung, and
the best of the last rung is the winner.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scorelib.errors import InputError
from scorelib.seeds import seed_of
from scorelib.step_size import round_significant
from tuning.ledger import Ledger
from tuning.proposer import Observation, propose, searched_interval
from tuning.stages import Objective, Score
from tuning.study import Proposals, Search

_TOLD_DIGITS = 4


@dataclass(frozen=True)
class ScoreResult:
    """What a finished score says.

    Attributes:
        raw: distance of the raw images.
        denoised: distance of the denoised images.
        failed: the cause if there are no distances.
    """

    raw: float | None
    denoised: float | None
    failed: str | None = None

    def of(self, objective: Objective) -> float | None:
        """The named distance, or None if the score failed."""
        return self.raw if objective == "raw" else self.denoised


Lookup = Callable[[Score], ScoreResult | None]


@dataclass(frozen=True)
class Trial:
    """One step size of a search.

    Attributes:
        number: order of proposal, from 0.
        epsilon: step size.
        r: the same in units of the schedule-following step.
        score: what measures it, on the most images so far.
        result: what came of it, or None while it is open.
    """

    number: int
    epsilon: float
    r: float
    score: Score
    result: ScoreResult | None


class SearchRun:
    """A search in progress.

    Args:
        search: the search.
        ledger: where its proposals are.
        lookup: gives a score's result if it is finished.
        after: the run of the search it starts from, if any.
    """

    def __init__(
        self, search: Search, ledger: Ledger, lookup: Lookup, after: "SearchRun | None"
    ) -> None:
        self.search, self._ledger, self._lookup, self._after = search, ledger, lookup, after
        self._rounds: list[list[float]] = []
        self._ledger_key: str | None = None
        self._ledger_starts: tuple[float, ...] | None = None
        self._finished: dict[tuple[int, float, int | None], Trial] = {}
        self._scores: dict[tuple[float, int], Score] = {}

    @property
    def trials(self) -> list[Trial]:
        """All trials proposed within the budget, in order, on the first rung."""
        self._open_ledger()
        epsilons = [epsilon for proposals in self._rounds for epsilon in proposals]
        return [self._trial(i, e) for i, e in enumerate(epsilons[: self.search.n_trials])]

    def _trial(self, number: int, epsilon: float, n_images: int | None = None) -> Trial:
        identity = (number, epsilon, n_images)
        if identity in self._finished:
            return self._finished[identity]
        space = self.search.space
        asked = (epsilon, n_images or space.protocol.n_images)
        if asked not in self._scores:
            self._scores[asked] = space.score(*asked)
        score = self._scores[asked]
        trial = Trial(number, epsilon, score.sample.r, score, self._lookup(score))
        if trial.result is not None:
            self._finished[identity] = trial
        return trial

    def wanted(self) -> list[Score]:
        """The scores the search now waits for; empty when it is done or waits for another."""
        trials = self.trials
        open_trials = [t for t in trials if t.result is None]
        if open_trials:
            return [t.score for t in open_trials]
        if len(trials) < self.search.n_trials and self._propose(trials):
            return self.wanted()
        return [t.score for t in self.finalists() if t.result is None]

    @property
    def winner(self) -> Trial | None:
        """The best trial of the last rung; None while any result is missing or if all failed."""
        if not self.is_complete:
            return None
        return self._best(self.finalists())

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to propose or to measure."""
        trials = self.trials
        spent = len(trials) >= self.search.n_trials or self._is_exhausted
        return bool(trials) and spent and all(t.result for t in (*trials, *self.finalists()))

    @property
    def best_so_far(self) -> Trial | None:
        """The best finished trial of the first rung."""
        return self._best(self.trials)

    def _best(self, trials: list[Trial]) -> Trial | None:
        ranked = self.ranked(trials)
        return ranked[0] if ranked else None

    def ranked(self, trials: list[Trial]) -> list[Trial]:
        """Finished trials with a value, best first; the earlier first among equals."""
        valued = []
        for trial in trials:
            value = trial.result.of(self.search.space.objective) if trial.result else None
            if value is not None:
                valued.append((value, trial.number, trial))
        return [trial for _, _, trial in sorted(valued, key=lambda item: item[:2])]

    def finalists(self) -> list[Trial]:
        """The trials of the highest rung reached; open ones included."""
        trials = self.trials
        for rung in self.search.ladder:
            if any(t.result is None for t in trials):
                return trials
            kept = self.ranked(trials)[: rung.keep]
            trials = [self._trial(t.number, t.epsilon, rung.n_images) for t in kept]
        return trials

    def _propose(self, finished: list[Trial]) -> bool:
        """Writes one more round to the ledger; False if it cannot be made (yet)."""
        space = self.search.space
        starts = self._starts()
        if starts is None or self._ledger_key is None or self._is_exhausted:
            return False
        number = len(self._rounds)
        low, high = space.sample.sampler.interval(space.sample.model.train.schedule)
        proposals = propose(
            [Observation(t.epsilon, self._told(t)) for t in finished],
            low=low,
            high=high,
            starts=starts,
            n=space.round_size,
            seed=seed_of("proposals", self._ledger_key, number),
        )
        self._ledger.write(self._ledger_key, number, proposals)
        self._rounds.append(proposals)
        return bool(proposals)

    @property
    def _is_exhausted(self) -> bool:
        """Whether the last round came back empty: every admissible step size has been tried."""
        return bool(self._rounds) and not self._rounds[-1]

    def _told(self, trial: Trial) -> float | None:
        assert trial.result is not None
        value = trial.result.of(self.search.space.objective)
        return None if value is None else round_significant(value, _TOLD_DIGITS)

    def _starts(self) -> tuple[float, ...] | None:
        """First step sizes; None while the search they are carried over from is not done."""
        if self._after is None:
            return self.search.starts
        if not self._after.is_complete:
            return None
        winner = self._after.winner
        if winner is None:
            return self.search.starts
        sample = self.search.space.sample
        try:
            carried = winner.score.sample.sampler.extrapolated(
                sample.model.train.schedule, sample.sampler.n_sigma
            )
        except InputError:  # the rule has no answer, such as a beta of 1 or more
            return self.search.starts
        return (round_significant(carried), *self.search.starts)

    @property
    def ledger_key(self) -> str:
        """Key of the proposals, which tells searches begun from other starts apart; "" so far."""
        self._open_ledger()
        return self._ledger_key or ""

    @property
    def interval(self) -> tuple[float, float]:
        """The step sizes searched lie between these; known once there are proposals."""
        sample = self.search.space.sample
        low, high = sample.sampler.interval(sample.model.train.schedule)
        return searched_interval(low, high, self._ledger_starts or self.search.starts)

    def _open_ledger(self) -> None:
        """Reads the proposals made from these starts, once the starts are known.

        The starts are part of the ledger's key: another winner of the search they are carried over
        from, or other first step sizes, begin another sequence of proposals. (Their results, where
        they meet, are shared through the store all the same.)
        """
        starts = self._starts()
        if starts is None or starts == self._ledger_starts:
            return
        key = Proposals(space=self.search.space, starts=starts).key
        # Other threads read searches too: never a key with another's rounds.
        rounds = self._ledger.rounds(key)
        self._rounds, self._ledger_key, self._ledger_starts = rounds, key, starts

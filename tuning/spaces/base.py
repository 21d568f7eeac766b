"""Base class of the search spaces: varied parameters, objective, and proposals."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from optuna.distributions import BaseDistribution

from scorelib.errors import InputError, require_input
from scorelib.spec import Spec, stored_as
from tuning.jobs import Job
from tuning.spaces.bracket import Standing
from tuning.spaces.trial import Result, Trial
from tuning.stages import Output, Protocol, SampleSpec, Score, Snapshot
from tuning.store.ledger import Values


@dataclass(frozen=True)
class Rung:
    """Rung of a successive-halving search: a fidelity, and the number of trials promoted to it.

    Attributes:
        n_images: number of images that each trial is measured on.
        keep: number of trials of the previous rung that are promoted to this rung.
        iteration: training iterations of the trials' models; None for those of the space.
    """

    n_images: int
    keep: int
    iteration: int | None = None


@dataclass(frozen=True, kw_only=True)
class SearchSpace(Spec):
    """Base of the search spaces: the parameters that a search varies and its objective.

    The key of the space identifies the search and determines the seed of its proposals.

    Attributes:
        template: job on the first rung, in most spaces a score; the varied fields are replaced in
            the template.
        output: images, raw or denoised, whose metric is minimised, or maximised if the protocol
            says so.
        round_size: number of trials proposed together, >= 1. Results are used only when a round is
            complete, so a search does not depend on the order in which trials finish.
    """

    KIND = "SearchSpace"
    SEARCHED: ClassVar[type] = Score
    """Class of the jobs that the space can search."""
    ENDS_EARLY: ClassVar[bool] = False
    """Whether the space has a rule that ends a search before its cap; see `standing`."""

    template: Job
    output: Output = stored_as("objective", "denoised")
    round_size: int = 1

    def validate(self) -> None:
        """Raises InputError if `round_size` is below 1 or the template cannot be searched."""
        require_input(
            self.round_size >= 1, f"round_size must be at least 1, but got {self.round_size}"
        )
        require_input(
            isinstance(self.template, self.SEARCHED),
            f"template must be a {self.SEARCHED.__name__}, but got {self.template.KIND}",
        )

    @property
    def sample(self) -> SampleSpec:
        """Sample spec of the template, which describes the images; the template is a score."""
        assert isinstance(self.template, Score)
        return self.template.sample

    @property
    def protocol(self) -> Protocol:
        """Measurement protocol of a trial on the first rung; the template is a score."""
        assert isinstance(self.template, Score)
        return self.template.protocol

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Whether each objective is minimised, in the order of `scores`."""
        return (self.protocol.lower_is_better,)

    @property
    def number_names(self) -> tuple[str, ...]:
        """Display name of each objective, in the order of `Trial.numbers`."""
        return (self.protocol.name,)

    @property
    def measure(self) -> str:
        """The first objective, in a few words."""
        return f"{self.protocol.name}, {self.output}"

    @property
    def described(self) -> str:
        """Description of the measurement of the first objective, in one line."""
        job = self.template
        return job.protocol.describe() if isinstance(job, Score) else job.summary()

    @abstractmethod
    def score(self, values: Values, rung: Rung | None = None) -> Job:
        """Returns the score, or another job, of the given values.

        Args:
            values: value of each parameter, by name.
            rung: a later rung; None for the first one.
        """

    def scores(self, values: Values, rung: Rung | None = None) -> tuple[Job, ...]:
        """Returns the jobs of all objectives: `score`, then others of the same images.

        Args:
            values: value of each parameter, by name.
            rung: a later rung; None for the first one.
        """
        return (self.score(values, rung),)

    def by_seed(self, results: Sequence[Result]) -> tuple[tuple[float, ...], ...]:
        """Returns the numbers of a trial: for each objective, one number for each seed.

        Args:
            results: results of the jobs that `scores` returns, in their order; none is a failure.

        Raises:
            InputError: a result lacks the number of an objective.
        """
        return tuple((result.numbers[self.output],) for result in results)

    def fresh(self, best: Job, protocol: Protocol | None, n_seeds: int) -> tuple[Job, ...]:
        """Returns the jobs that measure the best trial again, with seeds that no trial has used.

        Args:
            best: job of the best trial.
            protocol: metric of the images; required for scores.
            n_seeds: number of fresh seeds, >= 1.
        """
        assert isinstance(best, Score) and protocol is not None
        return scores_of(best.sample, protocol, n_seeds)

    @abstractmethod
    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """Returns the values of the next round, all new and different.

        Args:
            finished: all trials so far, in order of proposal.
            starts: values to try first.
            seed: seed of the random numbers.

        Returns:
            `round_size` values; fewer, or none, if all values are tried.
        """

    def standing(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int, n_best: int
    ) -> Standing | None:
        """Returns how far a search is from its end; None if there is no rule or no result yet.

        Args:
            finished: all trials so far, in order of proposal.
            starts: values that were tried first.
            seed: seed of the random numbers.
            n_best: number of best trials that are measured again, >= 1.
        """
        return None

    def equal_to_best(self, finished: Sequence[Trial]) -> set[int]:
        """Returns the numbers of the trials that cannot be told from the best.

        All trials are returned if the noise of their results is not known.

        Args:
            finished: all trials, in order of proposal.
        """
        return {trial.number for trial in finished}

    @abstractmethod
    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """Returns the range of each parameter as an Optuna distribution, for displays.

        Args:
            starts: values to try first.
        """

    @abstractmethod
    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Returns placeholders for proposals that are not yet known, to estimate their cost.

        Args:
            n: largest number of values.
            tried: values to leave out.

        Returns:
            At most n different values whose trials cost about as much as those of real proposals.
        """


def scores_of(sample: SampleSpec, protocol: Protocol, n_seeds: int) -> tuple[Score, ...]:
    """Returns the scores of images of the fresh seeds 1 to `n_seeds`.

    Args:
        sample: images to measure; the seed is replaced.
        protocol: metric of the images.
        n_seeds: number of fresh seeds, >= 1.
    """
    seeds = range(1, n_seeds + 1)
    return tuple(Score(sample=sample.replace(seed=seed), protocol=protocol) for seed in seeds)


def on_rung(score: Score, rung: Rung | None) -> Score:
    """Returns the score spec for a rung, with its number of images and training iterations.

    Args:
        score: score spec on the first rung.
        rung: a later rung; None returns `score` itself.
    """
    if rung is None:
        return score
    sample = score.sample
    if rung.iteration is not None:
        if not isinstance(sample.model, Snapshot):
            raise InputError(
                "a rung with an iteration needs a model that is trained, a Snapshot, but got "
                f"{sample.model.short_kind()}: leave the iteration out"
            )
        sample = sample.replace(model=sample.model.replace(iteration=rung.iteration))
    return score.replace(sample=sample, protocol=score.protocol.replace(n_images=rung.n_images))

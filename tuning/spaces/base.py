"""Base class of the search spaces: varied parameters, objective, and proposals."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution

from scorelib.errors import require_input
from scorelib.spec import Spec, stored_as
from tuning.spaces.trial import Trial
from tuning.stages import Output, Protocol, SampleSpec, Score
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
        template: score spec on the first rung; the varied fields are replaced in it.
        output: images, raw or denoised, whose metric is minimised, or maximised if the protocol
            says so.
        round_size: number of trials proposed together, >= 1. Results are used only when a round is
            complete, so a search does not depend on the order in which trials finish.
    """

    KIND = "SearchSpace"

    template: Score
    output: Output = stored_as("objective", "denoised")
    round_size: int = 1

    def validate(self) -> None:
        """Raises InputError if `round_size` is below 1."""
        require_input(
            self.round_size >= 1, f"round_size must be at least 1, but got {self.round_size}"
        )

    @property
    def sample(self) -> SampleSpec:
        """Sample spec of the template, which describes the images."""
        return self.template.sample

    @property
    def protocol(self) -> Protocol:
        """Measurement protocol of a trial on the first rung."""
        return self.template.protocol

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Whether each objective is minimised, in the order of `scores`."""
        return (self.protocol.lower_is_better,)

    @abstractmethod
    def score(self, values: Values, rung: Rung | None = None) -> Score:
        """Returns the score spec of the given values.

        Args:
            values: value of each parameter, by name.
            rung: a later rung; None for the first one.
        """

    def scores(self, values: Values, rung: Rung | None = None) -> tuple[Score, ...]:
        """Returns the score specs of all objectives: `score`, then others of the same images.

        Args:
            values: value of each parameter, by name.
            rung: a later rung; None for the first one.
        """
        return (self.score(values, rung),)

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
        sample = sample.replace(model=sample.model.replace(iteration=rung.iteration))
    return score.replace(sample=sample, protocol=score.protocol.replace(n_images=rung.n_images))

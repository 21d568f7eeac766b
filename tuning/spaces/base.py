"""What a space is: what is varied, what is looked for, and where proposals come from."""

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
    """A step of the fidelity ladder.

    Attributes:
        n_images: images that trials are measured on.
        keep: how many of the rung before go on to this one.
        iteration: training iterations of their models; None for the space's own.
    """

    n_images: int
    keep: int
    iteration: int | None = None


@dataclass(frozen=True, kw_only=True)
class SearchSpace(Spec):
    """What a search varies and what it looks for: its identity, and the seed of its proposals.

    Attributes:
        template: the score, on the first rung; what is varied is replaced in it.
        output: images whose number is to be lowest, or highest where the protocol says so.
        round_size: trials proposed together, >= 1; results count only when a round is complete, so
            a search does not depend on which trial ends first.
    """

    KIND = "SearchSpace"

    template: Score
    output: Output = stored_as("objective", "denoised")
    round_size: int = 1

    def validate(self) -> None:
        """Refuses empty rounds."""
        require_input(self.round_size >= 1, f"round_size must be at least 1; got {self.round_size}")

    @property
    def sample(self) -> SampleSpec:
        """The template's images."""
        return self.template.sample

    @property
    def protocol(self) -> Protocol:
        """How a trial is measured on the first rung."""
        return self.template.protocol

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Of each number that is searched by, whether it is to be lowered."""
        return (self.protocol.lower_is_better,)

    @abstractmethod
    def score(self, values: Values, rung: Rung | None = None) -> Score:
        """The score of some values, on the first rung or a later one."""

    def scores(self, values: Values, rung: Rung | None = None) -> tuple[Score, ...]:
        """All scores that the search is by: `score`, and others of the same images if any."""
        return (self.score(values, rung),)

    @abstractmethod
    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """The next round's values, all new and different; fewer or none when all are tried.

        Args:
            finished: all trials so far, in order of proposal.
            starts: values tried first.
            seed: of whatever is random in it.
        """

    @abstractmethod
    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """Each parameter's range, as Optuna has it, for displays."""

    @abstractmethod
    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """At most so many different values, none of those tried, that cost what proposals may."""


def on_rung(score: Score, rung: Rung | None) -> Score:
    """The score on a rung: on a later one of more images, perhaps of a longer training."""
    if rung is None:
        return score
    sample = score.sample
    if rung.iteration is not None:
        sample = sample.replace(model=sample.model.replace(iteration=rung.iteration))
    return score.replace(sample=sample, protocol=score.protocol.replace(n_images=rung.n_images))

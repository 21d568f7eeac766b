"""Search space of the step size of a sampler."""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution, FloatDistribution

from scorelib.errors import require_input
from scorelib.samplers import AnnealedSampler
from tuning.spaces.base import Rung, SearchSpace, on_rung
from tuning.spaces.parameters import EPSILON
from tuning.spaces.step_size_sampler import propose_step_sizes, searched_interval
from tuning.spaces.trial import Trial
from tuning.stages import Score
from tuning.store.ledger import Values


@dataclass(frozen=True, kw_only=True)
class StepSizeSpace(SearchSpace):
    """The step size epsilon of a sampler, over its whole admissible interval.

    `tuning.spaces.step_size_sampler` proposes the step sizes.
    """

    KIND = "StepSizeSpace"

    def validate(self) -> None:
        """Raises InputError if the sampler has no step size."""
        super().validate()
        require_input(
            isinstance(self.sample.sampler, AnnealedSampler),
            f"the sampler must have a step size, such as Als or Cas, but got "
            f"{type(self.sample.sampler).__name__}",
        )

    @property
    def sampler(self) -> AnnealedSampler:
        """Sampler of the template, whose step size is varied."""
        assert isinstance(self.sample.sampler, AnnealedSampler)
        return self.sample.sampler

    def _interval(self) -> tuple[float, float]:
        return self.sampler.interval(self.sample.model.levels)

    def score(self, values: Values, rung: Rung | None = None) -> Score:
        """Returns the score spec of a step size; see `SearchSpace.score`."""
        sampler = self.sampler.replace(epsilon=values[EPSILON])
        sample = self.sample.replace(sampler=sampler)
        return on_rung(Score(sample=sample, protocol=self.protocol), rung)

    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """Returns step sizes proposed by the valley model; see `SearchSpace.propose`."""
        low, high = self._interval()
        proposals = propose_step_sizes(
            finished, low=low, high=high, starts=_epsilons(starts), n=self.round_size, seed=seed,
            lower_is_better=self.protocol.lower_is_better,
        )  # fmt: skip
        return [{EPSILON: epsilon} for epsilon in proposals]

    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """Returns the searched interval of epsilon, on a logarithmic scale."""
        low, high = self._interval()
        interval = searched_interval(low, high, _epsilons(starts))
        return {EPSILON: FloatDistribution(*interval, log=True)}

    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Returns step sizes that differ from every real proposal and from those of other spaces.

        They differ because they are not rounded and depend on the key of the space.
        """
        share = (1 + int(self.key[:8], 16)) / 16**8
        low, high = self._interval()
        return [{EPSILON: low + (high - low) * (i + 1 + share) / (i + n + 99)} for i in range(n)]


def _epsilons(starts: Sequence[Values]) -> list[float]:
    return [float(start[EPSILON]) for start in starts]

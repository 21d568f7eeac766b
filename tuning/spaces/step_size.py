"""Search space of the step size of a sampler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

from scorelib.errors import require_input
from scorelib.samplers import AnnealedSampler
from scorelib.step_size import round_significant
from tuning.spaces.base import Rung, SearchSpace, on_rung
from tuning.spaces.bracket import WITHIN, Standing
from tuning.spaces.noise import errors_of
from tuning.spaces.step_size_sampler import (
    digits_for,
    propose_step_sizes,
    searched_interval,
    standing,
)
from tuning.spaces.trial import Trial
from tuning.spaces.valleys import relative
from tuning.stages import Score
from tuning.store.ledger import Values


@dataclass(frozen=True, kw_only=True)
class StepSizeSpace(SearchSpace):
    """The step size of a sampler, epsilon or r, over its whole admissible interval.

    `tuning.spaces.step_size_sampler` proposes the step sizes.
    """

    KIND = "StepSizeSpace"
    ENDS_EARLY: ClassVar[bool] = True

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

    @property
    def step_size(self) -> str:
        """Name of the step size, in values of trials and as a field of the sampler."""
        return self.sampler.STEP_SIZE

    def carried(self, sampler: AnnealedSampler) -> Values:
        """Returns the values that carry the step size of a sampler over to this space.

        Args:
            sampler: sampler of the same class, at its best step size.

        Raises:
            InputError: the rule of extrapolation does not apply, such as for beta >= 1.
        """
        schedule = self.sample.model.levels
        value = sampler.extrapolated(schedule, self.sampler.n_sigma)
        return {self.step_size: round_significant(value, self._digits([value]))}

    def _interval(self) -> tuple[float, float]:
        return self.sampler.interval(self.sample.model.levels)

    def _digits(self, starts: Sequence[float]) -> int:
        return digits_for(*searched_interval(*self._interval(), starts))

    def score(self, values: Values, rung: Rung | None = None) -> Score:
        """Returns the score spec of a step size; see `SearchSpace.score`."""
        sampler = self.sampler.with_step_size(float(values[self.step_size]))
        sample = self.sample.replace(sampler=sampler)
        return on_rung(Score(sample=sample, protocol=self.protocol), rung)

    def errors(self, finished: Sequence[Trial]) -> list[float]:
        """Returns the noise of finished trials; see `tuning.spaces.noise.errors_of`."""
        return errors_of(finished, self.output, lower_is_better=self.protocol.lower_is_better)

    def equal_to_best(self, finished: Sequence[Trial]) -> set[int]:
        """Returns the numbers of trials within noise; see `SearchSpace.equal_to_best`."""
        errors = self.errors(finished)
        if not errors:
            return super().equal_to_best(finished)
        sign = 1 if self.protocol.lower_is_better else -1
        values = [sign * trial.numbers[0] if trial.has_numbers else None for trial in finished]
        is_equal = relative(values) <= WITHIN * np.array(errors)
        return {t.number for t, equal in zip(finished, is_equal, strict=True) if equal}

    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """Returns step sizes proposed by the valley model; see `SearchSpace.propose`."""
        low, high = self._interval()
        first = self._values(starts)
        proposals = propose_step_sizes(
            finished, low=low, high=high, starts=first, n=self.round_size, seed=seed,
            digits=self._digits(first), lower_is_better=self.protocol.lower_is_better,
            name=self.step_size, errors=self.errors(finished),
        )  # fmt: skip
        return [{self.step_size: value} for value in proposals]

    def standing(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int, n_best: int
    ) -> Standing | None:
        """Returns the bracket and the expected improvement; see `SearchSpace.standing`."""
        low, high = self._interval()
        first = self._values(starts)
        return standing(
            finished, low=low, high=high, starts=first, seed=seed, digits=self._digits(first),
            lower_is_better=self.protocol.lower_is_better, name=self.step_size, n_best=n_best,
            errors=self.errors(finished),
        )  # fmt: skip

    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """Returns the searched interval of the step size, on a logarithmic scale."""
        low, high = self._interval()
        interval = searched_interval(low, high, self._values(starts))
        return {self.step_size: FloatDistribution(*interval, log=True)}

    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Returns step sizes that differ from every real proposal and from those of other spaces.

        They differ because they are not rounded and depend on the key of the space.
        """
        share = (1 + int(self.key[:8], 16)) / 16**8
        low, high = self._interval()
        return [
            {self.step_size: low + (high - low) * (i + 1 + share) / (i + n + 99)} for i in range(n)
        ]

    def _values(self, starts: Sequence[Values]) -> list[float]:
        return [float(start[self.step_size]) for start in starts]

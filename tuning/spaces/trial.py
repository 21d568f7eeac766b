"""Trials of searches: their values, their scores and their results."""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from scorelib.samplers import AnnealedSampler
from scorelib.unicode_forms import known_form
from tuning.jobs import Job
from tuning.stages import SampleSpec, Score
from tuning.store.ledger import Values


@dataclass(frozen=True)
class Result:
    """Result of a finished job.

    Attributes:
        numbers: measured numbers by name; a score has "raw" and "denoised".
        failed: cause of the failure if the job has no numbers, else None.
    """

    numbers: Mapping[str, float]
    failed: str | None = None

    def of(self, quantity: str) -> float | None:
        """Returns the number with the given name, or None if there is no such number."""
        return self.numbers.get(known_form(quantity, self.numbers))


Lookup = Callable[[Job], Result | None]


@dataclass(frozen=True)
class Trial:
    """One trial of a search: values of the parameters with their scores and results.

    Attributes:
        number: index in order of proposal, from 0.
        values: value of each parameter, by name.
        scores: jobs of the trial, in most spaces scores: first that of the first objective, then
            those of the other objectives and seeds.
        result: result of the first score, or the failure of any score; None while a score is
            unfinished.
        numbers: value of each objective, the mean over the seeds; empty if the trial is unfinished
            or failed.
        by_seed: for each objective, the number of each seed; empty as `numbers`.
    """

    number: int
    values: Values
    scores: tuple[Job, ...] = ()
    result: Result | None = None
    numbers: tuple[float, ...] = ()
    by_seed: tuple[tuple[float, ...], ...] = ()

    def measured(self, by_seed: tuple[tuple[float, ...], ...]) -> "Trial":
        """Returns the trial with its numbers.

        Args:
            by_seed: for each objective, the number of each seed.
        """
        return replace(self, numbers=tuple(map(statistics.fmean, by_seed)), by_seed=by_seed)

    @property
    def score(self) -> Job:
        """Job of the first objective."""
        return self.scores[0]

    @property
    def sample(self) -> SampleSpec | None:
        """Images of the trial; None if its job is no score."""
        return self.score.sample if isinstance(self.score, Score) else None

    @property
    def n_images(self) -> int | None:
        """Number of images that the trial is measured on; None if its job is no score."""
        return self.score.protocol.n_images if isinstance(self.score, Score) else None

    @property
    def described(self) -> str:
        """Description of the measurement of the first objective, in one line."""
        job = self.score
        return job.protocol.describe() if isinstance(job, Score) else job.summary()

    @property
    def value(self) -> float | None:
        """Value of the first objective; None if the trial is unfinished or failed."""
        return self.numbers[0] if self.numbers else None

    @property
    def has_numbers(self) -> bool:
        """Whether the trial has numbers and all are finite."""
        return bool(self.numbers) and all(map(math.isfinite, self.numbers))

    @property
    def epsilon(self) -> float | None:
        """Step size of the sampler, data units squared; None if the sampler does not anneal."""
        return self.sample.epsilon if self.sample else None

    @property
    def r(self) -> float | None:
        """Step size relative to the step that follows the schedule without noise.

        None if the search does not vary the step size, or if no single step follows the schedule.
        """
        sample = self.sample
        if sample is None or not isinstance(sample.sampler, AnnealedSampler):
            return None
        return sample.r if sample.sampler.STEP_SIZE in self.values else None


def as_optuna_trial(
    trial: Trial,
    distributions: Mapping[str, BaseDistribution],
    attributes: Mapping[str, Any] | None = None,
) -> FrozenTrial:
    """Returns a finished trial in Optuna's form; it is failed unless all its numbers are finite.

    Args:
        trial: a finished trial.
        distributions: Optuna distribution of each parameter, by name.
        attributes: user attributes of the Optuna trial, JSON-serialisable.
    """
    return create_trial(
        state=TrialState.COMPLETE if trial.has_numbers else TrialState.FAIL,
        values=list(trial.numbers) if trial.has_numbers else None,
        params=dict(trial.values),
        distributions=dict(distributions),
        user_attrs=dict(attributes or {}),
    )

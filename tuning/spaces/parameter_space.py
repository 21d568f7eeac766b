"""Search spaces of several parameters, with one objective or several."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.distributions import BaseDistribution

from scorelib.errors import InputError, require_input
from scorelib.seeds import seed_of
from scorelib.spec import stored_as
from scorelib.spec_paths import replaced
from tuning.jobs import Job
from tuning.spaces.base import Rung, SearchSpace, on_rung
from tuning.spaces.parameters import LogUniform, OneOf, Range
from tuning.spaces.tpe_sampler import propose_values
from tuning.spaces.trial import Trial
from tuning.stages import Protocol, Score
from tuning.store.ledger import Values

_MOST_DRAWN = 50
"""Largest number of random draws per placeholder value."""


@dataclass(frozen=True, kw_only=True)
class ParameterSpace(SearchSpace):
    """Any fields of a score spec, including those of its training, searched together by TPE.

    Attributes:
        parameters: varied parameters, with different names.
    """

    KIND = "ParameterSpace"

    parameters: tuple[OneOf | LogUniform | Range, ...]

    def validate(self) -> None:
        """Raises InputError if parameters share a name or do not set a field of the score."""
        super().validate()
        names = [p.name for p in self.parameters]
        require_input(
            len(set(names)) == len(names) > 0,
            f"parameters must have different names, but got {names}",
        )
        for parameter in self.parameters:
            try:
                replaced(self.template, {parameter.path: None})
            except (AttributeError, TypeError) as error:
                raise InputError(
                    f"{parameter.name} must set a field of the score, but {parameter.path!r} is "
                    "not a field"
                ) from error
            except InputError:
                continue  # the field exists but does not accept None

    def score(self, values: Values, rung: Rung | None = None) -> Job:
        """Returns the template with the values in their fields; see `SearchSpace.score`."""
        changes = {p.path: p.field_value(values[p.name]) for p in self.parameters}
        job: Job = replaced(self.template, changes)
        return on_rung(job, rung) if isinstance(job, Score) else job

    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """Returns the values proposed by TPE; see `SearchSpace.propose`."""
        return propose_values(
            finished,
            distributions=self.distributions(starts),
            rounded=self._rounded,
            starts=starts,
            n=self.round_size,
            seed=seed,
            lower_is_better=self.lower_is_better,
        )

    def _rounded(self, values: Values) -> Values:
        """Returns the values rounded as in the fields, so that equal work has equal values."""
        return {
            p.name: values[p.name] if isinstance(p, OneOf) else p.field_value(values[p.name])
            for p in self.parameters
        }

    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """Returns the Optuna distribution of each parameter, by name."""
        return {p.name: p.distribution for p in self.parameters}

    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Returns combinations of categorical values in order, or random values.

        See `SearchSpace.placeholder_values`.
        """
        names = [p.name for p in self.parameters]
        choices = [p.shown for p in self.parameters if isinstance(p, OneOf)]
        drawn: Iterable[Values]
        if len(choices) == len(names):
            drawn = (dict(zip(names, c, strict=True)) for c in itertools.product(*choices))
        else:
            rng = np.random.default_rng(seed_of("stand-ins", self.key))
            draws = range(_MOST_DRAWN * n)  # a short range has few rounded numbers
            drawn = (self._rounded({p.name: p.draw(rng) for p in self.parameters}) for _ in draws)
        known = [self._rounded(values) for values in tried]
        found: list[Values] = []
        for values in drawn:
            if len(found) == n:
                break
            if values not in known and values not in found:
                found.append(values)
        return found


@dataclass(frozen=True, kw_only=True)
class MultiObjectiveSpace(ParameterSpace):
    """Fields of a score spec, searched by several metrics of the same images at once.

    The result is a Pareto front, the trials that no other trial dominates, instead of a best trial.
    The winner is the trial of the front that is best by the first metric.

    Attributes:
        other_protocols: measurement protocols of the other metrics.
    """

    KIND = "FrontSpace"

    other_protocols: tuple[Protocol, ...] = stored_as("also")

    def validate(self) -> None:
        """Raises InputError unless there are different metrics, all of the same images."""
        super().validate()
        ours = self.protocol
        alike = all(
            (p.extractor, p.n_images, p.seeds) == (ours.extractor, ours.n_images, ours.seeds)
            for p in self.other_protocols
        )
        names = {p.name for p in (ours, *self.other_protocols)}
        require_input(
            len(names) == 1 + len(self.other_protocols) > 1 and alike,
            "a front needs two or more different metrics of the same images, but got "
            + "; ".join(p.describe() for p in (ours, *self.other_protocols)),
        )

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Whether each metric is minimised; see `SearchSpace.lower_is_better`."""
        return tuple(p.lower_is_better for p in (self.protocol, *self.other_protocols))

    @property
    def number_names(self) -> tuple[str, ...]:
        """Display name of each metric; see `SearchSpace.number_names`."""
        return tuple(p.name for p in (self.protocol, *self.other_protocols))

    def scores(self, values: Values, rung: Rung | None = None) -> tuple[Job, ...]:
        """Returns the score specs of all metrics of the same images; see `SearchSpace.scores`."""
        score = self.score(values, rung)
        assert isinstance(score, Score)
        n_images = score.protocol.n_images
        others = (
            score.replace(protocol=p.replace(n_images=n_images)) for p in self.other_protocols
        )
        return (score, *others)

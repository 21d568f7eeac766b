"""Spaces of several parameters at once, searched by one number or by several."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.distributions import BaseDistribution

from scorelib.errors import InputError, require_input
from scorelib.seeds import seed_of
from scorelib.spec import stored_as
from scorelib.spec_paths import replaced
from tuning.spaces.base import Rung, SearchSpace, on_rung
from tuning.spaces.parameters import LogUniform, OneOf
from tuning.spaces.tpe_sampler import propose_values
from tuning.spaces.trial import Trial
from tuning.stages import Protocol, Score
from tuning.store.ledger import Values

_MOST_DRAWN = 50
"""Draws at random for each placeholder value."""


@dataclass(frozen=True, kw_only=True)
class ParameterSpace(SearchSpace):
    """Any fields of a score, those of its training included, searched together by TPE.

    Attributes:
        parameters: what is varied, each with a name of its own.
    """

    KIND = "ParameterSpace"

    parameters: tuple[OneOf | LogUniform, ...]

    def validate(self) -> None:
        """Refuses parameters that share a name or set no field."""
        super().validate()
        names = [p.name for p in self.parameters]
        require_input(
            len(set(names)) == len(names) > 0, f"parameters must have different names; got {names}"
        )
        for parameter in self.parameters:
            try:
                replaced(self.template, {parameter.path: None})
            except (AttributeError, TypeError) as error:
                raise InputError(
                    f"{parameter.name} must set a field of the score; {parameter.path!r} is none"
                ) from error
            except InputError:
                continue  # the field is there, and does not like None

    def score(self, values: Values, rung: Rung | None = None) -> Score:
        """The template with the values in their fields; see `SearchSpace.score`."""
        changes = {p.path: p.field_value(values[p.name]) for p in self.parameters}
        return on_rung(replaced(self.template, changes), rung)

    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """What TPE expects most of; see `SearchSpace.propose`."""
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
        """The values as the fields hold them, so that equal work has equal values."""
        return {
            p.name: p.field_value(values[p.name]) if isinstance(p, LogUniform) else values[p.name]
            for p in self.parameters
        }

    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """Each parameter's."""
        return {p.name: p.distribution for p in self.parameters}

    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Combinations of choices in their order, or values at random; see `SearchSpace`."""
        names = [p.name for p in self.parameters]
        choices = [p.shown for p in self.parameters if isinstance(p, OneOf)]
        drawn: Iterable[Values]
        if len(choices) == len(names):
            drawn = (dict(zip(names, c, strict=True)) for c in itertools.product(*choices))
        else:
            rng = np.random.default_rng(seed_of("stand-ins", self.key))
            draws = range(_MOST_DRAWN * n)  # a short range rounds to few numbers
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
    """Fields of a score, searched by several numbers of the same images at once.

    There is no best trial then, but a Pareto front: the trials that no other dominates. What is
    called the winner is the front's end by the first number.

    Attributes:
        other_protocols: how the other numbers are measured.
    """

    KIND = "FrontSpace"

    other_protocols: tuple[Protocol, ...] = stored_as("also")

    def validate(self) -> None:
        """Refuses a single number, and numbers of other images."""
        super().validate()
        ours = self.protocol
        alike = all(
            (p.extractor, p.n_images, p.seeds) == (ours.extractor, ours.n_images, ours.seeds)
            for p in self.other_protocols
        )
        names = {p.name for p in (ours, *self.other_protocols)}
        require_input(
            len(names) == 1 + len(self.other_protocols) > 1 and alike,
            "a front needs two or more different numbers of the same images; got "
            + "; ".join(p.describe() for p in (ours, *self.other_protocols)),
        )

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Of each number; see `SearchSpace.lower_is_better`."""
        return tuple(p.lower_is_better for p in (self.protocol, *self.other_protocols))

    def scores(self, values: Values, rung: Rung | None = None) -> tuple[Score, ...]:
        """Those of the other numbers are of the same images; see `SearchSpace.scores`."""
        score = self.score(values, rung)
        n_images = score.protocol.n_images
        others = (
            score.replace(protocol=p.replace(n_images=n_images)) for p in self.other_protocols
        )
        return (score, *others)

"""What a search varies: the step size of a sampler, or any fields of what is scored.

A space turns *values* (a number or a word for each of its parameters) into the score to be made,
and earlier results into the next values to try. Both are pure functions: a search's outcome rests
on its specs, its ledger and the store alone.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)

from scorelib.errors import InputError
from scorelib.samplers import AnnealedSampler
from scorelib.seeds import seed_of
from scorelib.spec import Spec, replaced
from scorelib.step_size import round_significant
from tuning.jobs import require_input
from tuning.joint_proposer import Finished, propose_jointly
from tuning.ledger import Value, Values
from tuning.proposer import Observation, propose, searched_interval
from tuning.stages import Objective, Protocol, SampleSpec, Score

EPSILON = "epsilon"

_MOST_DRAWN = 50
"""Draws at random for each stand-in."""


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
        objective: images whose number is to be lowest, or highest where the protocol says so.
        round_size: trials proposed together, >= 1; results count only when a round is complete, so
            a search does not depend on which trial ends first.
    """

    template: Score
    objective: Objective = "denoised"
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

    def further(self, score: Score) -> tuple[Score, ...]:
        """Scores of the same images that the search is by, too; none as a rule."""
        return ()

    @abstractmethod
    def propose(
        self, finished: Sequence[Finished], starts: Sequence[Values], seed: int
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
    def stand_ins(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """At most so many different values, none of those tried, that cost what proposals may."""


@dataclass(frozen=True, kw_only=True)
class StepSizeSpace(SearchSpace):
    """The step size epsilon of a sampler, over all that theory admits; see `tuning.proposer`."""

    def validate(self) -> None:
        """Refuses numbers that are better the higher they are: their curves are no valleys."""
        super().validate()
        require_input(
            self.protocol.lower_is_better,
            f"a step size must be searched by a number to be lowered; got {self.protocol.name}",
        )
        require_input(
            isinstance(self.sample.sampler, AnnealedSampler),
            f"a step size is searched of als or cas; got {type(self.sample.sampler).__name__}",
        )

    @property
    def sampler(self) -> AnnealedSampler:
        """What has the step size."""
        assert isinstance(self.sample.sampler, AnnealedSampler)
        return self.sample.sampler

    def _interval(self) -> tuple[float, float]:
        return self.sampler.interval(self.sample.model.train.schedule)

    def score(self, values: Values, rung: Rung | None = None) -> Score:
        """The score of a step size; see `SearchSpace.score`."""
        sampler = self.sampler.replace(epsilon=values[EPSILON])
        return _on_rung(self.template.replace(sample=self.sample.replace(sampler=sampler)), rung)

    def propose(
        self, finished: Sequence[Finished], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """Step sizes from the valley's shape; see `SearchSpace.propose`."""
        low, high = self._interval()
        observations = [Observation(float(f.values[EPSILON]), f.value) for f in finished]
        proposals = propose(
            observations, low=low, high=high, starts=_epsilons(starts), n=self.round_size, seed=seed
        )
        return [{EPSILON: epsilon} for epsilon in proposals]

    def distributions(self, starts: Sequence[Values]) -> dict[str, BaseDistribution]:
        """The interval searched, logarithmic."""
        low, high = self._interval()
        interval = searched_interval(low, high, _epsilons(starts))
        return {EPSILON: FloatDistribution(*interval, log=True)}

    def stand_ins(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Step sizes that, not being rounded, differ from any real proposal."""
        low, high = self._interval()
        return [{EPSILON: low + (high - low) * (i + 1.2345678) / (i + n + 99)} for i in range(n)]


def _epsilons(starts: Sequence[Values]) -> list[float]:
    return [float(start[EPSILON]) for start in starts]


@dataclass(frozen=True, kw_only=True)
class OneOf(Spec):
    """A parameter with a few values.

    Attributes:
        name: what it is called.
        path: the field of the score it sets, such as ``sample.ema``.
        values: what the field may be, each once.
        labels: words for the values, where these are specs; empty to show the values themselves.
    """

    name: str
    path: str
    values: tuple[bool | int | float | str | Spec, ...]
    labels: tuple[str, ...] = ()

    def validate(self) -> None:
        """Refuses empty or doubled choices, and specs without words."""
        shown = self.shown
        is_good = len(set(shown)) == len(self.values) > 0
        require_input(is_good, f"{self.name} must have different values; got {shown}")

    @property
    def shown(self) -> tuple[Value, ...]:
        """The values as they are recorded."""
        return self.labels or tuple(v for v in self.values if not isinstance(v, Spec))

    def field_value(self, shown: Value) -> object:
        """What the field is set to."""
        return self.values[self.shown.index(shown)]

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna has it."""
        return CategoricalDistribution(self.shown)

    def draw(self, rng: np.random.Generator) -> Value:
        """A value at random."""
        return self.shown[int(rng.integers(len(self.shown)))]


@dataclass(frozen=True, kw_only=True)
class LogUniform(Spec):
    """A positive number whose logarithm matters.

    Attributes:
        name: what it is called.
        path: the field of the score it sets.
        low: lowest value, > 0.
        high: highest value.
        digits: significant digits that values are rounded to, >= 1, so that equal ones meet.
    """

    name: str
    path: str
    low: float
    high: float
    digits: int = 2

    def validate(self) -> None:
        """Refuses ranges without a logarithm."""
        require_input(
            0 < self.low < self.high,
            f"{self.name}: 0 < low < high must hold; got low={self.low:g}, high={self.high:g}",
        )

    def field_value(self, shown: Value) -> float:
        """The number itself, rounded, and inside the range all the same."""
        rounded = round_significant(float(shown), self.digits)
        return min(max(rounded, self.low), self.high)

    @property
    def distribution(self) -> BaseDistribution:
        """As Optuna has it."""
        return FloatDistribution(self.low, self.high, log=True)

    def draw(self, rng: np.random.Generator) -> Value:
        """A number at random."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


@dataclass(frozen=True, kw_only=True)
class ParameterSpace(SearchSpace):
    """Any fields of a score, those of its training included, searched together by TPE.

    Attributes:
        parameters: what is varied, each with a name of its own.
    """

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
        return _on_rung(replaced(self.template, changes), rung)

    def propose(
        self, finished: Sequence[Finished], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """What TPE expects most of; see `SearchSpace.propose`."""
        return propose_jointly(
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

    def stand_ins(self, n: int, tried: Sequence[Values]) -> list[Values]:
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
class FrontSpace(ParameterSpace):
    """Fields of a score, searched by several numbers of the same images at once.

    There is no best trial then, but a front: the trials that no other beats in every number. What
    is called the winner is the front's end by the first number.

    Attributes:
        also: how the further numbers are measured.
    """

    also: tuple[Protocol, ...]

    def validate(self) -> None:
        """Refuses a single number, and numbers of other images."""
        super().validate()
        ours = self.protocol
        alike = all(
            (p.extractor, p.n_images, p.seeds) == (ours.extractor, ours.n_images, ours.seeds)
            for p in self.also
        )
        names = {p.name for p in (ours, *self.also)}
        require_input(
            len(names) == 1 + len(self.also) > 1 and alike,
            "a front needs two or more different numbers of the same images; got "
            + "; ".join(p.describe() for p in (ours, *self.also)),
        )

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Of each number; see `SearchSpace.lower_is_better`."""
        return tuple(p.lower_is_better for p in (self.protocol, *self.also))

    def further(self, score: Score) -> tuple[Score, ...]:
        """The other numbers of the same images."""
        n_images = score.protocol.n_images
        return tuple(score.replace(protocol=p.replace(n_images=n_images)) for p in self.also)


def _on_rung(score: Score, rung: Rung | None) -> Score:
    """The score on a later rung: more images, perhaps of a longer training."""
    if rung is None:
        return score
    sample = score.sample
    if rung.iteration is not None:
        sample = sample.replace(model=sample.model.replace(iteration=rung.iteration))
    return score.replace(sample=sample, protocol=score.protocol.replace(n_images=rung.n_images))

"""Search space of a sweep: any fields of any job, by one or several numbers of its results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from scorelib.errors import InputError, require_input
from scorelib.spec import Spec
from scorelib.spec_paths import replaced
from tuning.jobs import Job
from tuning.spaces.base import Rung, scores_of
from tuning.spaces.parameter_space import ParameterSpace
from tuning.spaces.strategies import propose, require_strategy
from tuning.spaces.trial import Result, Trial
from tuning.stages import Protocol, Score
from tuning.store.ledger import Values


@dataclass(frozen=True, kw_only=True)
class Objective(Spec):
    """A number that a sweep lowers or raises.

    Attributes:
        name: name for display.
        number: name of the number in the results of the jobs.
        lower: whether lower numbers are better.
        protocol: metric, if the searched jobs are scores; None for other jobs.
    """

    KIND = "Objective"

    name: str
    number: str
    lower: bool = True
    protocol: Protocol | None = None


@dataclass(frozen=True, kw_only=True)
class SweepSpace(ParameterSpace):
    """Any fields of a job, searched by a strategy of choice; the job may be a user's own.

    A trial is measured on each training seed, and its numbers are means over the seeds. With
    several objectives the result is a Pareto front, and the winner is the best by the first.

    Attributes:
        objectives: numbers that are lowered or raised, the first one first; at least one.
        strategy: name of the strategy (`tuning.spaces.strategies.STRATEGIES`), or ``module:Class``
            of an Optuna sampler.
        seed_path: dotted path of the field that holds the training seed; "" for none.
        seeds: training seeds of every trial, all different; empty for the template's.
    """

    KIND = "SweepSpace"
    SEARCHED: ClassVar[type] = Job

    objectives: tuple[Objective, ...]
    strategy: str = "tpe"
    seed_path: str = ""
    seeds: tuple[int, ...] = ()

    def validate(self) -> None:
        """Raises InputError unless strategy, objectives and seeds suit the job and each other."""
        super().validate()
        names = [objective.name for objective in self.objectives]
        require_input(
            len(set(names)) == len(names) > 0,
            f"a sweep needs objectives of different names, but got {names}",
        )
        require_strategy(self.strategy, self.parameters, self.lower_is_better)
        require_input(
            len(set(self.seeds)) == len(self.seeds) and bool(self.seed_path or not self.seeds),
            "training seeds must be different and have a field to be set in, but got "
            f"{list(self.seeds)}",
        )

    @property
    def lower_is_better(self) -> tuple[bool, ...]:
        """Whether each objective is minimised."""
        return tuple(objective.lower for objective in self.objectives)

    @property
    def number_names(self) -> tuple[str, ...]:
        """Display name of each objective."""
        return tuple(objective.name for objective in self.objectives)

    @property
    def measure(self) -> str:
        """The first objective, in a few words."""
        return self.objectives[0].name

    def scores(self, values: Values, rung: Rung | None = None) -> tuple[Job, ...]:
        """Returns the jobs of every training seed and metric; see `SearchSpace.scores`."""
        job = self.score(values, rung)
        return tuple(
            each for seeded in self._seeded(job, self.seeds) for each in self._jobs(seeded)
        )

    def score(self, values: Values, rung: Rung | None = None) -> Job:
        """Returns the job of the first training seed; see `SearchSpace.score`."""
        job = super().score(values, rung)
        return self._seeded(job, self.seeds[:1])[0]

    def _seeded(self, job: Job, seeds: Sequence[int]) -> list[Job]:
        return [replaced(job, {self.seed_path: seed}) for seed in seeds] or [job]

    def _protocols(self) -> list[Protocol]:
        return list(dict.fromkeys(o.protocol for o in self.objectives if o.protocol))

    def _jobs(self, job: Job) -> list[Job]:
        """Returns the job for each metric, on as many images as the job."""
        if not isinstance(job, Score):
            return [job]
        n_images, seeds = job.protocol.n_images, job.protocol.seeds
        return [
            job.replace(protocol=protocol.replace(n_images=n_images, seeds=seeds))
            for protocol in self._protocols() or [job.protocol]
        ]

    def by_seed(self, results: Sequence[Result]) -> tuple[tuple[float, ...], ...]:
        """Returns the numbers of each objective by seed; see `SearchSpace.by_seed`."""
        protocols = self._protocols()
        n_jobs = max(1, len(protocols)) if self._is_of_images else 1
        found = []
        for objective in self.objectives:
            is_own = self._is_of_images and objective.protocol is not None
            first = protocols.index(objective.protocol) if is_own and objective.protocol else 0
            found.append(tuple(_number(of, objective.number) for of in results[first::n_jobs]))
        return tuple(found)

    @property
    def _is_of_images(self) -> bool:
        return isinstance(self.template, Score)

    def propose(
        self, finished: Sequence[Trial], starts: Sequence[Values], seed: int
    ) -> list[Values]:
        """Returns the values proposed by the strategy; see `SearchSpace.propose`."""
        return propose(
            self.strategy,
            self.parameters,
            finished,
            starts=starts,
            n=self.round_size,
            seed=seed,
            lower_is_better=self.lower_is_better,
            rounded=self._rounded,
            is_possible=self.is_possible,
        )

    def is_possible(self, values: Values) -> bool:
        """Returns whether values make a job; an odd width, say, may make no network."""
        try:
            self.score(values)
        except InputError:
            return False
        return True

    def placeholder_values(self, n: int, tried: Sequence[Values]) -> list[Values]:
        """Returns possible placeholders; see `SearchSpace.placeholder_values`."""
        found = super().placeholder_values(2 * n, tried)
        return [values for values in found if self.is_possible(values)][:n]

    def fresh(self, best: Job, protocol: Protocol | None, n_seeds: int) -> tuple[Job, ...]:
        """Returns the best trial on fresh seeds; see `SearchSpace.fresh`.

        Images get fresh sampling seeds, in turn from the trainings of all training seeds. Other
        jobs get the seeds after those of the trials; a job without a seed is not run again.
        """
        if not isinstance(best, Score) or protocol is None:
            first = max(self.seeds, default=0) + 1
            return tuple(
                self._seeded(best, range(first, first + n_seeds) if self.seed_path else ())
            )
        trained = [job for job in self._seeded(best, self.seeds) if isinstance(job, Score)]
        scores = [scores_of(score.sample, protocol, n_seeds) for score in trained]
        return tuple(scores[k % len(scores)][k] for k in range(n_seeds))


def _number(result: Result, name: str) -> float:
    """Returns a number of a result.

    Raises:
        InputError: the result does not hold the number.
    """
    found = result.of(name)
    if found is None:
        held = ", ".join(result.numbers) or "none"
        raise InputError(f"the result must hold the number {name!r}, but its numbers are: {held}")
    return found

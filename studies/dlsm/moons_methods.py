"""The methods of the moons study: which trainings make the posterior scores of each, and settings.

`moons_score_mismatch` says where the settings at paper scale come from.
"""

from dataclasses import dataclass
from typing import Literal

from scorelib.data import Moons, OneClass
from scorelib.errors import require_input
from scorelib.losses import MOONS_DLSM, ClassifierObjective, CrossEntropy, Dlsm, Dsm
from scorelib.networks import PlaneMlp, PlaneMlpClassifier
from scorelib.optim import AdamSpec
from scorelib.samplers import Langevin
from scorelib.schedules import GeometricSchedule
from studies.common.execution_settings import StudySettings
from tuning.stages import (
    GuidedSampleSpec,
    NoiseClassifierSnapshot,
    NoiseClassifierTrainSpec,
    SampleSpec,
    ScoreErrors,
    Snapshot,
    TrainSpec,
)

SigmaEntry = Literal["late", "at the input"]
"""Where the noise level enters a network."""

CLASSES = (0, 1)
_EMA = 0.0  # the weights themselves


@dataclass(frozen=True, kw_only=True)
class MoonsSettings(StudySettings):
    """The study's settings.

    Attributes:
        points: what is trained on, and whose scores are exact.
        schedule: noise levels of all trainings.
        width: of all networks; see `scorelib.networks.PlaneMlp`.
        data_scale: of the networks that sigma enters at the input.
        sigma_enters: where sigma enters the networks; each way has rows of its own. None: late and,
            over several seeds, at the input too.
        score_optimizer: of score networks.
        classifier_optimizer: of classifiers by L_CE and L_Total.
        dlsm_optimizer: of classifiers by L_DLSM' alone.
        total: L_Total; its weight of the noise levels is that of the score networks' loss too.
        batch_size: points per update.
        iterations: of every training.
        curve_every: iterations between the points of the curves; a divisor of `iterations`.
        curve_early: iterations of further points before the first of those.
        sigma: noise level of all measures.
        alpha: of the scaling method.
        sampler: for precision and recall, at `sigma`.
        n_points: generated and real points of a class.
        chunk_points: points sampled together.
        k: nearest neighbour of precision and recall.
        seeds: training seeds.
    """

    KIND = "MoonsSettings"

    points: Moons
    schedule: GeometricSchedule
    width: int = 16
    data_scale: float = 20.0
    sigma_enters: tuple[SigmaEntry, ...] | None = None
    score_optimizer: AdamSpec
    classifier_optimizer: AdamSpec
    dlsm_optimizer: AdamSpec
    total: Dlsm = MOONS_DLSM
    batch_size: int
    iterations: int
    curve_every: int
    curve_early: tuple[int, ...] = (250, 500, 1000)
    sigma: float
    alpha: float = 10.0
    sampler: Langevin
    n_points: int
    chunk_points: int
    k: int = 5
    seeds: int = 1

    def validate(self) -> None:
        """Refuses levels that differ, and curves without an end."""
        require_input(
            self.sampler.sigma == self.sigma,
            f"sampler.sigma must be sigma={self.sigma:g}, the level of all measures; got "
            f"{self.sampler.sigma:g}",
        )
        require_input(
            self.curve_every >= 1 and self.iterations % self.curve_every == 0,
            f"curve_every must divide iterations={self.iterations}; got {self.curve_every}",
        )
        require_input(
            min(self.curve_early, default=1) >= 1,
            f"curve_early must be iterations from 1; got {self.curve_early}",
        )
        require_input(
            self.seeds >= 1 and len(self.sigma_entries) >= 1,
            f"seeds must be at least 1 and sigma_enters not empty; got seeds={self.seeds}, "
            f"sigma_enters={self.sigma_enters}",
        )

    @property
    def sigma_entries(self) -> tuple[SigmaEntry, ...]:
        """Where sigma enters, each way once and the paper's first."""
        if self.sigma_enters is None:
            return ("late",) if self.seeds == 1 else ("late", "at the input")
        return tuple(dict.fromkeys(self.sigma_enters))

    @property
    def curve_at(self) -> tuple[int, ...]:
        """Iterations of the curves' points, ascending."""
        early = (step for step in self.curve_early if step < self.curve_every)
        return (
            *sorted(set(early)),
            *range(self.curve_every, self.iterations + 1, self.curve_every),
        )


def paper() -> MoonsSettings:
    """The authors' code's; one training seed."""
    return MoonsSettings(
        points=Moons(), schedule=GeometricSchedule(sigma_1=10.0, sigma_L=1e-3, n_levels=1000),
        score_optimizer=AdamSpec(learning_rate=6.5e-4),
        classifier_optimizer=AdamSpec(learning_rate=1e-5),
        dlsm_optimizer=AdamSpec(learning_rate=2e-5),
        batch_size=4000, iterations=40_000, curve_every=2000,
        sigma=7.5, sampler=Langevin(sigma=7.5, epsilon=2.0, n_steps=1000),
        n_points=10_000, chunk_points=5000,
    )  # fmt: skip


def demo() -> MoonsSettings:
    """Smaller batches, higher learning rates, fewer iterations; both ways for sigma to enter."""
    return paper().replace(
        sigma_enters=("late", "at the input"),
        score_optimizer=AdamSpec(learning_rate=2e-3),
        classifier_optimizer=AdamSpec(learning_rate=1e-3),
        dlsm_optimizer=AdamSpec(learning_rate=1e-3),
        batch_size=500, iterations=2500, curve_every=500,
        sampler=Langevin(sigma=7.5, epsilon=4.0, n_steps=250),
        n_points=2000, chunk_points=2000,
    )  # fmt: skip


@dataclass(frozen=True)
class Method:
    """What makes the posterior scores of both classes.

    Attributes:
        models: a score network of all data, or one for each class.
        classifier: guides the network of all data; None if there is one for each class.
        scale: factor of the likelihood score, alpha.
    """

    models: tuple[Snapshot, ...]
    classifier: NoiseClassifierSnapshot | None = None
    scale: float = 1.0

    def errors(self, at: MoonsSettings) -> ScoreErrors:
        """The job that compares the posterior scores with the exact ones."""
        return ScoreErrors(
            data=at.points, sigma=at.sigma, models=self.models, ema=_EMA,
            classifier=self.classifier, scale=self.scale,
        )  # fmt: skip

    def sample(self, at: MoonsSettings, label: int) -> SampleSpec:
        """Points of a class, drawn with these scores."""
        if self.classifier is None:
            return SampleSpec(
                model=self.models[label], ema=_EMA, sampler=at.sampler,
                chunk_images=at.chunk_points, seed=1,
            )  # fmt: skip
        return GuidedSampleSpec(
            model=self.models[0], ema=_EMA, sampler=at.sampler,
            chunk_images=at.chunk_points, seed=1,
            classifier=self.classifier, classifier_ema=_EMA, label=label, scale=self.scale,
        )  # fmt: skip


def methods_of(
    at: MoonsSettings, entry: SigmaEntry, seed: int, iteration: int
) -> dict[str, Method]:
    """All methods by name, their last trainings stopped at an iteration.

    Args:
        at: the study's settings.
        entry: where the noise level enters every network.
        seed: of all trainings.
        iteration: at which classifiers are taken; score networks are trained to the end.
    """
    prior = _score(at, at.points, entry, seed)
    posteriors = tuple(_score(at, OneClass(of=at.points, label=c), entry, seed) for c in CLASSES)

    def classifier(objective: ClassifierObjective, by: AdamSpec) -> NoiseClassifierSnapshot:
        train = NoiseClassifierTrainSpec(
            data=at.points, schedule=at.schedule, optimizer=by, ema=(_EMA,), seed=seed,
            batch_size=at.batch_size, objective=objective,
            network=PlaneMlpClassifier(width=at.width, data_scale=_data_scale(at, entry)),
            score=prior if objective.reads_score else None,
            score_ema=_EMA if objective.reads_score else None,
        )  # fmt: skip
        return NoiseClassifierSnapshot(train=train, iteration=iteration)

    base = classifier(CrossEntropy(), at.classifier_optimizer)
    return {
        "base": Method((prior,), base),
        "scaling": Method((prior,), base, at.alpha),
        "posterior SM": Method(posteriors),
        "DLSM' alone": Method(
            (prior,), classifier(at.total.replace(lambda_=0.0), at.dlsm_optimizer)
        ),
        "ours": Method((prior,), classifier(at.total, at.classifier_optimizer)),
    }


def _data_scale(at: MoonsSettings, entry: SigmaEntry) -> float | None:
    return None if entry == "late" else at.data_scale


def _score(at: MoonsSettings, data: Moons | OneClass, entry: SigmaEntry, seed: int) -> Snapshot:
    train = TrainSpec(
        data=data, schedule=at.schedule, optimizer=at.score_optimizer, ema=(_EMA,), seed=seed,
        batch_size=at.batch_size, objective=Dsm(sigma_power=at.total.sigma_power),
        network=PlaneMlp(width=at.width, data_scale=_data_scale(at, entry)),
    )  # fmt: skip
    return Snapshot(train=train, iteration=at.iterations)

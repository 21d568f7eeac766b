"""The methods that the moons study compares, and the settings of their trainings.

A score is the gradient of a log density. The *posterior score* belongs to the points of one class.
It is the sum of the *prior score*, of the points of all classes, and the *likelihood score*, the
gradient of the log probability of the class. Every method estimates posterior scores, in one of two
ways: by one score network per class, or by a score network of all points together with a classifier
whose gradient, times a factor alpha, is the likelihood score.

The methods differ in the loss of the classifier: the cross entropy L_CE; L_DLSM', denoising
likelihood score matching (Eq. 10); or L_Total = L_DLSM' + lambda L_CE (Eq. 11). For the list of the
methods and the sources of the settings see `moons_score_mismatch`.
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
from studies.common.snapshots import snapshot_iterations
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
"""Place where the noise level sigma enters a network (see `scorelib.networks.PlaneMlp`)."""

CLASSES = (0, 1)
_EMA = 0.0  # no averaging of weights


@dataclass(frozen=True, kw_only=True)
class MoonsSettings(StudySettings):
    """Settings of the moons study.

    Attributes:
        points: training data, for which the exact scores are known.
        schedule: noise levels of all trainings.
        width: width of all networks, >= 1; see `scorelib.networks.PlaneMlp`.
        data_scale: approximate standard deviation of the data, in data units, > 0; read only by
            networks with sigma "at the input".
        sigma_enters: places where sigma enters the networks; the table has separate rows for each
            place. None means "late" if `seeds` is 1, and both places if `seeds` is above 1.
        score_optimizer: optimizer of the score networks.
        classifier_optimizer: optimizer of the classifiers trained by L_CE and L_Total.
        dlsm_optimizer: optimizer of the classifiers trained by L_DLSM' alone.
        total: objective L_Total, including lambda. Its weights of the noise levels (`sigma_power`)
            also apply to the loss of the score networks.
        batch_size: points per update, >= 1.
        iterations: number of iterations of every training, a multiple of `curve_every`.
        curve_every: iterations between the points of the training curves (Figure 5), >= 1; a
            divisor of `iterations`.
        curve_early: iterations of additional points before the first regular point, each >= 1.
        sigma: noise level of all measurements, in data units, equal to `sampler.sigma`.
        alpha: factor of the likelihood score in the method "scaling".
        sampler: sampler of the points for precision and recall, at noise level `sigma`.
        n_points: number of generated points and of real points per class, > `k`.
        chunk_points: points per sampling job, >= 1.
        k: rank of the nearest neighbour whose distance is the radius around a point, for precision
            and recall, >= 1.
        seeds: number of training seeds, >= 1.
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
        """Checks the noise level, the curves and the seeds.

        Raises:
            InputError: `sampler.sigma` differs from `sigma`, `curve_every` does not divide
                `iterations`, a value of `curve_early` is below 1, `seeds` is below 1, or
                `sigma_enters` is empty.
        """
        require_input(
            self.sampler.sigma == self.sigma,
            "`sampler.sigma == sigma` must hold, because all measurements use one noise level, but "
            f"got (sampler.sigma={self.sampler.sigma:g}, sigma={self.sigma:g})",
        )
        require_input(
            self.curve_every >= 1 and self.iterations % self.curve_every == 0,
            f"curve_every must divide iterations={self.iterations}, but got {self.curve_every}",
        )
        require_input(
            min(self.curve_early, default=1) >= 1,
            f"curve_early must hold iterations of at least 1, but got {self.curve_early}",
        )
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")
        require_input(
            self.sigma_enters is None or len(self.sigma_enters) >= 1,
            'sigma_enters must name "late", "at the input" or both, but got no place',
        )

    @property
    def sigma_entries(self) -> tuple[SigmaEntry, ...]:
        """Places where sigma enters the networks, each place once."""
        if self.sigma_enters is None:
            return ("late",) if self.seeds == 1 else ("late", "at the input")
        return tuple(dict.fromkeys(self.sigma_enters))

    @property
    def curve_at(self) -> tuple[int, ...]:
        """Iterations of the points of the curves, in ascending order."""
        early = (step for step in self.curve_early if step < self.curve_every)
        return (
            *sorted(set(early)),
            *snapshot_iterations(self.curve_every, self.iterations, "curve_every"),
        )


def paper() -> MoonsSettings:
    """Returns the settings of the authors' code, with one training seed."""
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
    """Returns settings with smaller batches, higher learning rates and fewer iterations.

    The rows show both places where sigma enters the networks.
    """
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
    """A method: the trained networks from which the posterior scores of both classes follow.

    Attributes:
        models: one score network of all data, or one score network per class.
        classifier: classifier that guides the score network of all data; None if there is one score
            network per class.
        scale: factor alpha of the likelihood score.
    """

    models: tuple[Snapshot, ...]
    classifier: NoiseClassifierSnapshot | None = None
    scale: float = 1.0

    def errors(self, at: MoonsSettings) -> ScoreErrors:
        """Returns the job that measures the errors of the posterior scores."""
        return ScoreErrors(
            data=at.points, sigma=at.sigma, models=self.models, ema=_EMA,
            classifier=self.classifier, scale=self.scale,
        )  # fmt: skip

    def sample(self, at: MoonsSettings, label: int) -> SampleSpec:
        """Returns the spec that samples points of one class by this method's posterior scores.

        Args:
            at: settings of the study.
            label: class of the points, one of `CLASSES`.
        """
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
    """Returns all methods by name, with classifiers from a given iteration of their training.

    Args:
        at: settings of the study.
        entry: place where the noise level enters every network.
        seed: seed of all trainings.
        iteration: iteration of the classifiers' snapshots; score networks are trained to the end.
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

"""Settings of the studies of class-conditional images: training, sampling and measurement.

For the sources of the settings at paper scale see `class_table`.
"""

from dataclasses import dataclass
from typing import Literal

from scorelib.data import Cifar10, Cifar100, Digits
from scorelib.errors import require_input
from scorelib.losses import CIFAR_DLSM, ClassifierObjective, CrossEntropy, Dlsm, Dsm
from scorelib.metrics.accuracy import AccuracySpec
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import Extractor
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import NcsnPp, NoiseClassifierSpec, ResNetClassifier
from scorelib.optim import AdamSpec
from scorelib.samplers import PredictorCorrector
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes.demo_settings import digits
from studies.common.execution_settings import SamplingSettings
from tuning.stages import (
    FidProtocol,
    GuidedSampleSpec,
    InceptionScoreProtocol,
    NeighboursProtocol,
    NoiseClassifierSnapshot,
    NoiseClassifierTrainSpec,
    Protocol,
    Snapshot,
    TrainSpec,
)

Statistic = Literal["precision", "recall", "density", "coverage"]
STATISTICS: tuple[Statistic, ...] = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True, kw_only=True)
class ClassSettings(SamplingSettings):
    """Settings of a study of class-conditional images.

    Attributes:
        train: training run of the score network; the classifiers are trained in its precision.
        iteration: iteration of the score network's snapshot, >= 1.
        ema: EMA decay of the score network, one of `train.ema`.
        classifier: network of the noise-conditional classifiers.
        classifier_optimizer: optimizer of the classifiers' trainings.
        classifier_batch_size: images per update of a classifier, >= 1.
        classifier_iterations: number of updates of a classifier, >= 1.
        total: objective L_Total of the paper's method ("ours").
        alpha: factor of the likelihood score in the method "scaling".
        sampler: sampler of all images.
        chunk_images: images per sampling job, >= 1; the step of the corrector depends on the images
            that are sampled together.
        extractor: feature extractor of all measures except the classification accuracy score.
        n_images: images per cell and seed, a multiple of the number of classes.
        n_real: number of real images among which nearest neighbours are searched, > `k`.
        k: rank of the nearest neighbour whose distance is the radius around an image, for
            precision, recall, density and coverage, >= 1.
        n_splits: number of splits of the images for the Inception score, >= 1.
        accuracy: classifier of the classification accuracy score, trained on `n_images` images.
        seeds: number of fresh seeds of the images, >= 1.
    """

    KIND = "ClassSettings"

    train: TrainSpec
    iteration: int
    ema: float
    classifier: NoiseClassifierSpec
    classifier_optimizer: AdamSpec
    classifier_batch_size: int
    classifier_iterations: int
    total: Dlsm = CIFAR_DLSM
    alpha: float = 10.0
    sampler: PredictorCorrector
    chunk_images: int
    extractor: Extractor
    n_images: int
    n_real: int
    k: int = 3
    n_splits: int = 10
    accuracy: AccuracySpec
    seeds: int = 1

    def validate(self) -> None:
        """Raises InputError if classes would have unequal numbers of images or there is no seed."""
        n_classes = self.train.data.n_classes
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")
        require_input(
            self.n_images % n_classes == 0,
            f"n_images must be a multiple of {n_classes}, the number of classes, but got "
            f"{self.n_images}",
        )

    @property
    def score(self) -> Snapshot:
        """The snapshot of the score network."""
        return Snapshot(train=self.train, iteration=self.iteration)

    def guided(self, objective: ClassifierObjective, alpha: float = 1.0) -> GuidedSampleSpec:
        """Returns the spec of images of all classes, guided by a classifier.

        Args:
            objective: objective of the classifier's training.
            alpha: factor of the likelihood score.
        """
        score = self.score if objective.reads_score else None
        train = NoiseClassifierTrainSpec(
            data=self.train.data, schedule=self.train.schedule, network=self.classifier,
            objective=objective, optimizer=self.classifier_optimizer, ema=(0.0,),
            batch_size=self.classifier_batch_size, seed=self.train.seed,
            score=score, score_ema=self.ema if score else None,
            precision=self.train.precision,
        )  # fmt: skip
        classifier = NoiseClassifierSnapshot(train=train, iteration=self.classifier_iterations)
        return GuidedSampleSpec(
            model=self.score, ema=self.ema, sampler=self.sampler, chunk_images=self.chunk_images,
            classifier=classifier, classifier_ema=0.0, scale=alpha,
            precision=self.sampling_precision,
        )  # fmt: skip

    def methods(self) -> dict[str, GuidedSampleSpec]:
        """Returns the images of the three methods of Table 2, by name of the method."""
        return {
            "base": self.guided(CrossEntropy()),
            "scaling": self.guided(CrossEntropy(), self.alpha),
            "ours": self.guided(self.total),
        }

    def protocol(self, metric: str) -> Protocol:
        """Returns the protocol of a metric that is measured on features.

        Args:
            metric: "fid", "is", one of `STATISTICS`, or "cw_" followed by one of `STATISTICS` for
                the class-wise statistic.
        """
        data, n = self.train.data, self.n_images
        if metric == "fid":
            return FidProtocol(extractor=self.extractor, data=data, n_images=n, seeds="fresh")
        if metric == "is":
            return InceptionScoreProtocol(
                extractor=self.extractor, data=data, n_images=n, seeds="fresh",
                n_splits=self.n_splits,
            )  # fmt: skip
        statistic = next(name for name in STATISTICS if metric.endswith(name))
        return NeighboursProtocol(
            extractor=self.extractor, data=data, n_images=n, seeds="fresh", n_real=self.n_real,
            k=self.k, statistic=statistic, classwise=metric.startswith("cw_"),
        )  # fmt: skip


def require_positive(values: tuple[float, ...], field: str) -> None:
    """Raises InputError unless values are positive and different.

    Args:
        values: values of a setting.
        field: name of the setting, for the message.
    """
    require_input(
        0 < len(set(values)) == len(values) and min(values) > 0,
        f"{field} must be positive and different, but got {values}",
    )


def demo() -> ClassSettings:
    """Returns settings for digits, with the score network of the digits of Tables 1 to 3."""
    data, shared = Digits(), digits()
    return ClassSettings(
        train=shared.train, iteration=shared.iteration, ema=0.999,
        classifier=ResNetClassifier(depth=18, width=8),
        classifier_optimizer=AdamSpec(learning_rate=1e-3),
        classifier_batch_size=100, classifier_iterations=1000,
        total=Dlsm(over_dimensions="mean"),
        sampler=PredictorCorrector(n_steps=60),
        chunk_images=500,
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        n_images=2000, n_real=1000,
        accuracy=AccuracySpec(
            network="small", optimizer=AdamSpec(learning_rate=2e-3), batch_size=100, iterations=600
        ),
    )  # fmt: skip


def paper(data: Cifar10 | Cifar100) -> ClassSettings:
    """Returns the settings of the authors' code.

    Args:
        data: data set of the study, CIFAR-10 or CIFAR-100.
    """
    is_ten = isinstance(data, Cifar10)
    return ClassSettings(
        train=TrainSpec(
            data=data, network=NcsnPp(n_blocks=8), objective=Dsm(),
            schedule=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=1000),
            optimizer=AdamSpec(learning_rate=2e-4, warmup=5000, clip=1.0), ema=(0.999,),
            batch_size=128, flips=True,
        ),
        iteration=950_001, ema=0.999,
        classifier=ResNetClassifier(depth=18 if is_ten else 34),
        classifier_optimizer=AdamSpec(
            learning_rate=2e-4, warmup=0 if is_ten else 1000, clip=1.0
        ),
        classifier_batch_size=150, classifier_iterations=60_000,
        sampler=PredictorCorrector(n_steps=1000),
        chunk_images=500, extractor=InceptionFeatures(),
        n_images=50_000, n_real=50_000, n_splits=1,
        accuracy=AccuracySpec(),
    )  # fmt: skip

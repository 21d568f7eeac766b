"""Settings of general studies of images; one setting names the images for all parts of a study.

`SamplingEpsSettings.images` is the only data set. The training reads it, the distances are
measured against it, and the classifier of the features, if any, is trained on it. Three defaults
depend on the images:

- The noise schedule is geometric. The largest level is 0.6 sqrt(D) for images of D values in
  [0, 1], near the largest distance between two images (Song and Ermon 2020, Technique 1; 0.9
  sqrt(D) for CIFAR-10, 0.6 sqrt(D) for scikit-learn's digits). The smallest is 0.05, about the
  noise that is just visible. The number of levels gives a coverage of one half (Technique 2).
- The features are those of a small classifier if the images have classes, and else those of random
  convolutions, which need neither labels nor a download.
- The batch has at most as many images as there are training images.

A model that was trained elsewhere may take the place of the training: weights in a file, or a score
model of your own. The study then uses the noise levels of this model.
"""

import math
from dataclasses import dataclass

from scorelib.data import DataSpec
from scorelib.devices.precision import Precision
from scorelib.errors import InputError, require_input
from scorelib.losses import Adversarial, Dsm
from scorelib.metrics import ClassifierFeatures, ClassifierSpec, RandomConvFeatures
from scorelib.metrics.features import Extractor
from scorelib.networks import NetworkSpec
from scorelib.optim import AdamSpec
from scorelib.samplers import Start
from scorelib.schedules import GeometricSchedule, Schedule, n_levels_for_coverage
from scorelib.spec import Spec, added_later
from scorelib.weights import published_model
from studies.common.execution_settings import SamplingSettings
from studies.common.initial_step_sizes import PAPERS_SAMPLERS, SAMPLERS, START_R
from studies.common.step_size_search import SearchSettings, require_choice, require_n_sigma
from studies.general.metrics import DISTANCE, protocol_of_kind
from tuning.stages import (
    FidProtocol,
    ImportedWeights,
    Protocol,
    ScoreModel,
    Snapshot,
    TrainSpec,
    WeightsFile,
)

_SIGMA_1, _SIGMA_L = 0.6, 0.05


@dataclass(frozen=True, kw_only=True)
class ImageTraining(Spec):
    """A training run of a score network, apart from its data.

    Attributes:
        network: score network.
        objective: training loss.
        schedule: noise levels; None for geometric levels that follow the size of the images.
        optimizer: settings of Adam.
        ema: EMA decay of the weights, in [0, 1).
        batch_size: images per update, >= 1; at most as many as there are training images.
        flips: whether images are mirrored left to right with probability 1/2.
        seed: seed of the initial weights, the order of images and the noise.
        iterations: length of the training, in iterations, >= 1.
        precision: precision in which networks compute in training: float32 or bf16.
    """

    KIND = "ImageTraining"

    network: NetworkSpec
    objective: Dsm | Adversarial
    schedule: Schedule | None = None
    optimizer: AdamSpec
    ema: float
    batch_size: int
    flips: bool = False
    seed: int = 0
    iterations: int
    precision: Precision = added_later("float32")

    def of(self, images: DataSpec) -> Snapshot:
        """Returns the network that is trained on images, after all iterations."""
        return Snapshot(
            train=TrainSpec(
                data=images,
                network=self.network,
                schedule=self.schedule or schedule_of(images),
                objective=self.objective,
                optimizer=self.optimizer,
                ema=(self.ema,),
                batch_size=min(self.batch_size, images.n_images("train")),
                flips=self.flips,
                seed=self.seed,
                precision=self.precision,
            ),
            iteration=self.iterations,
        )


@dataclass(frozen=True, kw_only=True)
class ClassifierOfImages(Spec):
    """The features of a small classifier that is trained on the study's images.

    Attributes:
        width: number of channels at full resolution, >= 1.
        n_features: size of the last hidden layer, >= 1.
        iterations: number of training steps, >= 1.
        seed: seed of the training.
    """

    KIND = "ClassifierOfImages"

    width: int = 16
    n_features: int = 64
    iterations: int = 800
    seed: int = 0

    def of(self, images: DataSpec) -> ClassifierFeatures:
        """Returns the features of the classifier of images."""
        return ClassifierFeatures(
            classifier=ClassifierSpec(
                data=images,
                width=self.width,
                n_features=self.n_features,
                iterations=self.iterations,
                seed=self.seed,
            )
        )


@dataclass(frozen=True, kw_only=True)
class SamplingEpsSettings(SamplingSettings):
    """Settings of a search of step sizes on any images.

    Attributes:
        images: data set; a folder of pictures, or the kind of a data set. The training, the
            features and the distances follow it.
        train: training of the score network, unless a model is given.
        model: model that was trained elsewhere: a file of weights, or a score model of your own;
            None to train one.
        published: name of the published model whose file is given as `model`; its reported numbers
            stand beside ours. "" for none.
        extractor: features of the distances; None for the classifier of the images' classes, or
            random convolutions for images of one class.
        samplers: samplers, of "als", "cas" and "cas_r" (CAS with one r; for any schedule).
        n_sigma: numbers of steps per noise level, each >= 1; one row per sampler for each.
        start: distribution that chains start from.
        chunk_images: images per sampling job, >= 1.
        search: settings of the searches over step sizes.
        n_images: images per cell and seed, >= 2.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
        metrics: metrics of the table, one column each: "distance", or kinds of protocols
            (`general.metrics`). The searches find the best step size by the first.
    """

    KIND = "SamplingEpsSettings"

    images: DataSpec
    train: ImageTraining
    model: WeightsFile | ScoreModel | None = added_later(None)
    published: str = added_later("")
    extractor: Extractor | ClassifierOfImages | None = None
    samplers: tuple[str, ...] = PAPERS_SAMPLERS
    n_sigma: tuple[int, ...]
    start: Start = "noise"
    chunk_images: int
    search: SearchSettings
    n_images: int
    seeds: int
    metrics: tuple[str, ...] = added_later((DISTANCE,))

    def validate(self) -> None:
        """Checks that the rows, the images, the samplers and the metrics fit together.

        Raises:
            InputError: `seeds` is below 1, a row or a metric is unknown or repeated, the images are
                points, a sampler does not fit the schedule, a metric does not fit the images, or a
                classifier is wanted for images of one class.
        """
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")
        require_n_sigma(self.n_sigma)
        require_choice(self.samplers, tuple(SAMPLERS), "samplers")
        if len(self.images.shape) != 3:
            raise InputError(
                f"images must be pictures, but {self.images.name} holds points of shape "
                f"{self.images.shape}",
                "images",
            )
        self._require_fitting_model()
        self._require_fitting_samplers()
        require_classes(self.features)
        require_input(
            0 < len({protocol.name for protocol in self.protocols}) == len(self.metrics),
            f"metrics must hold at least one, each once, but got {', '.join(self.metrics) or None}",
        )

    def _require_fitting_model(self) -> None:
        """Raises InputError for a model of other examples, or a published name without weights."""
        if self.published:
            published_model(self.published)
            if not isinstance(self.model, WeightsFile):
                raise InputError(
                    f"the file of the published model {self.published} must be given as the model, "
                    "but no model is given",
                    "model",
                )
        shape = self.score_model.target.shape
        if shape != self.images.shape:
            raise InputError(
                f"the model must take examples of the images' shape {self.images.shape}, but takes "
                f"{shape}",
                "model",
            )

    def _require_fitting_samplers(self) -> None:
        """Raises InputError if a sampler does not work with the schedule."""
        schedule, field = self.score_model.levels, "model" if self.model else "train.schedule"
        for name in self.samplers:
            try:
                SAMPLERS[name].of(START_R[name], 1).interval(schedule)
            except InputError as error:
                raise InputError(
                    f"samplers must fit the noise levels of {field}, but {error}: leave "
                    f"{name!r} out, or take another schedule",
                    "samplers",
                    field,
                ) from error

    @property
    def score_model(self) -> ScoreModel:
        """The model that is sampled: the given one, or the network that is trained."""
        if isinstance(self.model, WeightsFile):
            return ImportedWeights(weights=self.model, data=self.images)
        return self.model or self.train.of(self.images)

    @property
    def ema(self) -> float | None:
        """EMA decay of the weights: the last one that the model has, if any."""
        decays = self.score_model.decays
        return decays[-1] if decays else None

    @property
    def features(self) -> Extractor:
        """The feature extractor, by default the one that the images allow."""
        return features_of(self.extractor, self.images)

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols of the table, one for each of the metrics."""
        distance = FidProtocol(
            extractor=self.features, data=self.images, n_images=self.n_images, seeds="fresh"
        )
        return tuple(
            distance
            if name == DISTANCE
            else protocol_of_kind(name, distance, "metrics", (DISTANCE,))
            for name in self.metrics
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the features in which distances are measured; empty for FIDs."""
        return notes_of(self.features)


def features_of(extractor: Extractor | ClassifierOfImages | None, images: DataSpec) -> Extractor:
    """Returns the features by which images are measured.

    Args:
        extractor: extractor of the user's choice; None for the one that the images allow: the
            classifier of their classes, or random convolutions for images of one class.
        images: data set.
    """
    if isinstance(extractor, Extractor):
        return extractor
    if extractor is None and images.n_classes < 2:
        return RandomConvFeatures()
    return (extractor or ClassifierOfImages()).of(images)


def require_classes(features: Extractor) -> None:
    """Raises InputError if the features are those of a classifier of images of one class."""
    if isinstance(features, ClassifierFeatures) and features.classifier.data.n_classes < 2:
        raise InputError(
            f"a classifier needs images of at least 2 classes, but "
            f"{features.classifier.data.name} has one: give each class a folder, or leave the "
            f"extractor out (null) for random convolutions",
            "extractor",
        )


def notes_of(features: Extractor) -> tuple[str, ...]:
    """Returns notes on the features in which distances are measured; empty for FIDs."""
    if not isinstance(features, RandomConvFeatures):
        return ()
    return (
        "random-conv: features of a network with random weights, at 32 x 32 pixels; they see "
        "noise, colours and textures, and hardly what a picture shows",
    )


def schedule_of(images: DataSpec) -> GeometricSchedule:
    """Returns the geometric schedule for images of a size; the module describes the rule.

    Args:
        images: data set of images in [0, 1].
    """
    n = math.prod(images.shape)
    sigma_1 = float(f"{_SIGMA_1 * math.sqrt(n):.2g}")
    levels = n_levels_for_coverage(sigma_1, _SIGMA_L, n)
    return GeometricSchedule(sigma_1=sigma_1, sigma_L=_SIGMA_L, n_levels=levels)

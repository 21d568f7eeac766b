"""Class-conditional images, sampled from a score model with the guidance of a classifier.

These images are measured in several feature spaces, and classifiers are trained on them. They are
therefore stored as pixels, from which features are computed (see `tuning.stages.sample`). Points
are not stored as pixels.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from scorelib.data import DataSpec, OneClass, Toy
from scorelib.errors import require_input
from scorelib.guidance import ClassGuidance, GuidedNetwork
from scorelib.samplers import ScaledScore
from scorelib.samplers.batches import batched, parts_of_one_size
from tuning.jobs import ExecutionContext, Job
from tuning.stages.evaluation import loaded
from tuning.stages.sample import SampleSpec
from tuning.stages.training.noise_classifier import NoiseClassifierSnapshot

_MOST_COLUMNS = 10


@dataclass(frozen=True, kw_only=True)
class GuidedSampleSpec(SampleSpec):
    """A stream of class-conditional images.

    The score is that of a network trained on all data plus the likelihood score of a classifier.

    Attributes:
        classifier: snapshot of a noise-conditional classifier of examples of the same shape.
        classifier_ema: EMA decay of the classifier's weights, one of the decays kept in training.
        label: requested class, in [0, n_classes - 1]; None requests all classes in turn, class
            i mod n_classes for image i.
        scale: alpha, the factor of the likelihood score; the scaling method if it is not 1.

    References:
        Chao et al. (2022), Eq. 6.
    """

    KIND = "GuidedSampleSpec"

    classifier: NoiseClassifierSnapshot
    classifier_ema: float
    label: int | None = None
    scale: float = 1.0

    def validate(self) -> None:
        """Raises InputError for an unknown EMA decay or class, or a classifier of other shapes."""
        super().validate()
        train = self.classifier.train
        require_input(
            self.classifier_ema in train.ema,
            f"classifier_ema must be one of the decays kept in training, {train.ema}, "
            f"but got {self.classifier_ema}",
        )
        require_input(
            train.data.shape == self.model.target.shape,
            f"the classifier must be trained on examples of shape {self.model.target.shape}, "
            f"but got {train.data.shape}",
        )
        require_input(
            self.label is None or 0 <= self.label < train.data.n_classes,
            f"label must be in [0, {train.data.n_classes - 1}], but got {self.label}",
        )

    @property
    def evaluation_multiply_adds(self) -> int:
        """Number of multiply-adds of the score network and of the classifier with its gradient."""
        return self.model.evaluation_multiply_adds + 2 * self.classifier.train.multiply_adds

    def inputs(self) -> tuple[Job, ...]:
        """Returns the weights of the score model and of the classifier."""
        return (*self.model.needed_jobs(), self.classifier)

    @property
    def architectures(self) -> tuple[str, ...]:
        """Kinds of the score network and of the classifier."""
        return (self.model.architecture, self.classifier.train.network.KIND)

    @property
    def keeps_pixels(self) -> bool:
        """Whether the examples are images, not points."""
        return len(self.model.target.shape) == 3

    @property
    def picture_columns(self) -> int:
        """Number of columns: a multiple of the number of classes, so that each shows one class.

        Ten if there are more than ten classes.
        """
        n_classes = self.classifier.train.data.n_classes
        return max(1, _MOST_COLUMNS // n_classes) * min(n_classes, _MOST_COLUMNS)

    @property
    def target(self) -> DataSpec:
        """Data set that the images should resemble; of toy data, the requested class if any."""
        data = self.model.target
        if self.label is None or not isinstance(data, Toy):
            return data
        return OneClass(of=data, label=self.label)

    def labels(self, n_images: int) -> Tensor:
        """Returns the requested class of each of the first images, (n_images,) int64.

        The tensor is shared and must not be changed.
        """
        if self.label is not None:
            return torch.full((n_images,), self.label)
        return _in_turn(n_images, self.classifier.train.data.n_classes)

    def scaled_score(self, at: ExecutionContext, index: int) -> ScaledScore:
        """Returns the scaled posterior score of each image's own class.

        Arguments, value and errors are those of `SampleSpec.scaled_score`.
        """
        network = loaded(self.model, self.ema, at)
        classifier = self.classifier.network(at, self.classifier_ema)
        first = index * self.chunk_images
        labels = self.labels(first + self.chunk_images)[first:].to(at.device)
        most = at.images_per_call(self.model.target.shape)
        parts = [
            GuidedNetwork(network, ClassGuidance(classifier, part, scale=self.scale))
            for part in parts_of_one_size(labels, most)
        ]
        return batched(parts, self.precision, most)


@lru_cache(maxsize=4)
def _in_turn(n_images: int, n_classes: int) -> Tensor:
    """Returns all classes in turn; every score of a study looks at them, a million each."""
    return torch.arange(n_images) % n_classes

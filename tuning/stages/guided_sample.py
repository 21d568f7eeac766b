"""Images of classes: what a classifier adds to the images of a snapshot.

They are measured in several features, and classifiers are trained on them: as images they are kept
as pixels, and features are taken from there (`tuning.stages.sample`).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.data import DataSpec, OneClass, Toy
from scorelib.errors import require_input
from scorelib.guidance import ClassGuidance, GuidedNetwork
from scorelib.samplers import ScaledScore
from tuning.jobs import ExecutionContext
from tuning.stages.evaluation import batched, loaded
from tuning.stages.sample import SampleSpec
from tuning.stages.training.noise_classifier import NoiseClassifierSnapshot
from tuning.stages.training.snapshots import TrainedWeights

_MOST_COLUMNS = 10


@dataclass(frozen=True, kw_only=True)
class GuidedSampleSpec(SampleSpec):
    """Images of classes: a score network of all data, guided by a classifier (Chao et al., Eq. 6).

    Attributes:
        classifier: snapshot of a noise-conditional classifier of the same data.
        classifier_ema: which of its EMA decays.
        label: the class asked for; None: all in turn, image i of class i modulo their number.
        scale: alpha, the factor of the likelihood score; other than 1, the scaling method.
    """

    KIND = "GuidedSampleSpec"

    classifier: NoiseClassifierSnapshot
    classifier_ema: float
    label: int | None = None
    scale: float = 1.0

    def validate(self) -> None:
        """Refuses classes the classifier does not know, and decays that were not kept."""
        super().validate()
        train = self.classifier.train
        require_input(
            self.classifier_ema in train.ema,
            f"classifier_ema must be one of the decays kept, {train.ema}; "
            f"got {self.classifier_ema}",
        )
        require_input(
            train.data.shape == self.model.train.data.shape,
            f"the classifier must see examples of shape {self.model.train.data.shape}; got one of "
            f"{train.data.shape}",
        )
        require_input(
            self.label is None or 0 <= self.label < train.data.n_classes,
            f"label must be in [0, {train.data.n_classes - 1}]; got {self.label}",
        )

    @property
    def evaluation_multiply_adds(self) -> int:
        """The score's, and a pass of the classifier with its gradient in the image."""
        return self.model.train.multiply_adds + 2 * self.classifier.train.multiply_adds

    def inputs(self) -> tuple[TrainedWeights, ...]:
        """The score network and the classifier."""
        return (self.model, self.classifier)

    @property
    def keeps_pixels(self) -> bool:
        """Where they are images."""
        return len(self.model.train.data.shape) == 3

    @property
    def picture_columns(self) -> int:
        """So many that a column is of one class; ten if there are more than ten classes."""
        n_classes = self.classifier.train.data.n_classes
        return max(1, _MOST_COLUMNS // n_classes) * min(n_classes, _MOST_COLUMNS)

    @property
    def target(self) -> DataSpec:
        """Of points, the class that was asked for, if it is one."""
        data = self.model.train.data
        if self.label is None or not isinstance(data, Toy):
            return data
        return OneClass(of=data, label=self.label)

    def labels(self, n_images: int) -> Tensor:
        """The class that each of the first images was asked for, (n,) int64."""
        if self.label is not None:
            return torch.full((n_images,), self.label)
        return torch.arange(n_images) % self.classifier.train.data.n_classes

    def scaled_score(self, at: ExecutionContext, index: int) -> ScaledScore:
        """The posterior score of each image's own class."""
        network = loaded(self.model, self.ema, at)
        classifier = self.classifier.network(at, self.classifier_ema)
        first = index * self.chunk_images
        labels = self.labels(first + self.chunk_images)[first:].to(at.device)
        size = at.images_per_call(self.model.train.data.shape) or len(labels)
        parts = [
            GuidedNetwork(network, ClassGuidance(classifier, part, scale=self.scale))
            for part in torch.split(labels, size)
        ]
        return batched(parts, at)

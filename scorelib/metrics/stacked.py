"""Features of stacked digits: a classifier of single images, applied to each channel.

A classifier of the 1,000 classes of stacks would have only a few training stacks per class. A
classifier of the ten digits is trained on all images and distinguishes the 1,000 modes as well. The
features of the channels are concatenated, for Frechet distances. The class probabilities of the
channels are concatenated, too; `scorelib.metrics.modes` computes the mode of a stack from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from scorelib.data.stacked import CHANNELS
from scorelib.errors import InputError
from scorelib.metrics.classifier import ClassifierFeatures


class PerChannel(nn.Module):
    """A classifier of grey images that is applied to each channel of a stack.

    Args:
        classifier: module that maps images (B, 1, H, W) to features (B, d) and class
            probabilities (B, k).
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, stacks: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the concatenated features and class probabilities of the channels.

        Args:
            stacks: stacks of grey images, (B, C, H, W), in [0, 1].

        Returns:
            Features, (B, C d), and probabilities, (B, C k), channel after channel.
        """
        features, probabilities = self.classifier(stacks.flatten(0, 1)[:, None])
        return features.reshape(len(stacks), -1), probabilities.reshape(len(stacks), -1)


@dataclass(frozen=True, kw_only=True)
class StackedClassifierFeatures(ClassifierFeatures):
    """The last hidden layer of a classifier of single images, for each channel of a stack.

    The class probabilities of each channel sum to one, those of a stack to the number of channels.

    Args:
        classifier: classifier of grey images; `build` takes its trained weights.
    """

    KIND = "StackedClassifierFeatures"
    one_class_per_image: ClassVar[bool] = False

    def validate(self) -> None:
        """Raises InputError unless the classifier is for grey images."""
        data = self.classifier.data
        if len(data.shape) != 3 or data.shape[0] != 1:
            raise InputError(
                f"classifier must be for images of shape (1, H, W), but {data.name} has "
                f"{data.shape}"
            )

    @property
    def name(self) -> str:
        """``stacked-``, the name of the data set and ``-cnn``."""
        return f"stacked-{super().name}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stacks, (C, H, W)."""
        return (CHANNELS, *super().shape[1:])

    @property
    def n_features(self) -> int:
        """Number of features of the classifier times the number of channels."""
        return CHANNELS * super().n_features

    @property
    def n_classes(self) -> int:
        """Number of classes of the single images times the number of channels."""
        return CHANNELS * super().n_classes

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds the classifier, applied to each channel; see `Extractor.build`."""
        return PerChannel(super().build(weights)).eval()

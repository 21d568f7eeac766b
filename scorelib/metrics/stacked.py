"""Features of stacked digits: a classifier of single images, read channel by channel.

A classifier of the thousand kinds of stacks would have to be learned from a few stacks of each;
one of the ten digits is learned from all of them, and tells the thousand modes apart all the same.
What it gives for a stack is kept per channel: the features side by side, for Frechet distances, and
the class probabilities side by side, from which `scorelib.metrics.modes` reads the stack's mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.data.stacked import CHANNELS
from scorelib.errors import InputError
from scorelib.metrics.classifier import ClassifierFeatures


class PerChannel(nn.Module):
    """A classifier of grey images applied to each channel.

    Args:
        classifier: maps images (B, 1, H, W) to features (B, d) and class probabilities (B, k).
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, stacks: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, C d) and probabilities (B, C k), channel after channel, of (B, C, H, W)."""
        features, probabilities = self.classifier(stacks.flatten(0, 1)[:, None])
        return features.reshape(len(stacks), -1), probabilities.reshape(len(stacks), -1)


@dataclass(frozen=True, kw_only=True)
class StackedClassifierFeatures(ClassifierFeatures):
    """The last hidden layer of a classifier of single images, for each channel of a stack.

    The class probabilities sum to one in each channel, not in a stack.

    Args:
        classifier: of grey images; `build` takes the weights its training gave.
    """

    KIND = "StackedClassifierFeatures"

    def validate(self) -> None:
        """Raises InputError unless the classifier's images are grey."""
        data = self.classifier.data
        if len(data.shape) != 3 or data.shape[0] != 1:
            raise InputError(
                f"classifier must be of images of shape (1, H, W), but {data.name} has {data.shape}"
            )

    @property
    def name(self) -> str:
        """``stacked-``, the data's name and ``-cnn``."""
        return f"stacked-{super().name}"

    @property
    def n_features(self) -> int:
        """Those of the classifier, for each channel."""
        return CHANNELS * super().n_features

    @property
    def n_classes(self) -> int:
        """Number of labels of the single images, for each channel."""
        return CHANNELS * super().n_classes

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The classifier, read per channel; see `Extractor.build`."""
        return PerChannel(super().build(weights)).eval()

"""A small classifier of a data set, used as a feature extractor by its last hidden layer.

The Inception network was trained on photographs of 1,000 classes of objects, and its features are
not informative for 8 x 8 digits. The features of a network trained to classify the data set itself
are sensitive to missing classes, blurred strokes and residual noise. Distances in this feature
space have their own name (``fd[digits-cnn]``) and are never compared with a FID.

The classifier assigns a class to every image, even to noise. How sure the classifier is of images
(`ClassifierFeatures.certainty`) shows whether their classes mean anything.

Training is deterministic: weights, batches and dropout masks depend only on the seed of the spec.
The network has no batch normalisation, so the features of an image do not depend on the other
images in the batch. Dropout and strong weight decay prevent overfitting to the few training images;
the features of an overfitted network would place all other images, including real ones, far from
the training images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.data.base import DataSpec
from scorelib.errors import InputError
from scorelib.metrics.features import Extractor
from scorelib.optim import AdamW
from scorelib.seeds import generator_of, seeded
from scorelib.spec import Spec

_SMALLEST_SIDE = 4
_WEIGHT_DECAY = 1.0
_KEPT = 0.5


class Classifier(nn.Module):
    """A convolutional classifier that halves the resolution until a side has at most 4 pixels.

    Args:
        shape: shape (C, H, W) of an image.
        n_classes: number of classes.
        width: number of channels at full resolution, doubled at each halving.
        n_features: size of the last hidden layer.
    """

    def __init__(
        self, shape: tuple[int, int, int], n_classes: int, width: int, n_features: int
    ) -> None:
        super().__init__()
        channels, height, side = shape
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.SiLU()]
        while min(height, side) > _SMALLEST_SIDE:
            layers += [nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.SiLU()]
            layers += [nn.Conv2d(2 * width, 2 * width, 3, padding=1), nn.SiLU()]
            width, height, side = 2 * width, (height + 1) // 2, (side + 1) // 2
        layers += [nn.Flatten(), nn.Linear(width * height * side, n_features), nn.SiLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(n_features, n_classes)

    def features(self, images: Tensor) -> Tensor:
        """Returns the last hidden layer, (B, n_features), of images (B, C, H, W) in [0, 1]."""
        return self.body(2 * images - 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features (B, n_features) and class probabilities (B, n_classes) of images."""
        features = self.features(images)
        return features, self.head(features).softmax(dim=1)


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec(Spec):
    """A classifier and its training settings.

    Args:
        data: data set; only its ``train`` split is used for training.
        width: number of channels at full resolution, > 0.
        n_features: size of the last hidden layer, > 0.
        iterations: number of training steps, > 0.
        batch_size: number of images per step, drawn with replacement, > 0.
        learning_rate: maximum learning rate of the one-cycle schedule (AdamW), > 0.
        seed: seed of the initial weights, the batches and the dropout masks.
    """

    KIND = "ClassifierSpec"

    data: DataSpec
    width: int = 16
    n_features: int = 64
    iterations: int = 800
    batch_size: int = 64
    learning_rate: float = 6e-3
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError unless all sizes and the learning rate are positive."""
        for name in ("width", "n_features", "iterations", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be positive, but got {getattr(self, name)}")

    def build(self) -> Classifier:
        """Builds the classifier with its initial weights, the same in every call."""
        with seeded("classifier", "weights", self.seed):
            return Classifier(self.data.shape, self.data.n_classes, self.width, self.n_features)


def train_classifier(
    spec: ClassifierSpec, classifier: Classifier, images: Tensor, labels: Tensor
) -> Iterator[float]:
    """Trains a classifier in place, one step per value taken from the iterator.

    Args:
        spec: settings of the training.
        classifier: classifier built by `ClassifierSpec.build` of `spec`, on the device to train on.
        images: images of the training split, (N, C, H, W) in [0, 1].
        labels: class of each image, (N,) int64.

    Yields:
        The cross entropy of each step's batch, in nats.
    """
    device = next(classifier.parameters()).device
    images, labels = images.to(device), labels.to(device)
    generator = generator_of("classifier", "batches", spec.seed)
    shape = (spec.batch_size, spec.n_features)
    optimizer = AdamW(classifier.parameters(), lr=spec.learning_rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, spec.learning_rate, total_steps=spec.iterations
    )
    classifier.train()
    for _ in range(spec.iterations):
        batch = torch.randint(len(images), (spec.batch_size,), generator=generator).to(device)
        mask = (torch.rand(shape, generator=generator) < _KEPT).to(device) / _KEPT
        logits = classifier.head(mask * classifier.features(images[batch]))
        loss = functional.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield loss.item()


@torch.inference_mode()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Returns the share of images for which the label is the most probable class, 0 to 1.

    Args:
        classifier: classifier to test.
        images: images, (N, C, H, W) in [0, 1].
        labels: class of each image, (N,) int64.
    """
    device = next(classifier.parameters()).device
    batches = zip(images.split(1000), labels.split(1000), strict=True)
    hits = sum(
        (classifier(x.to(device))[1].argmax(dim=1).cpu() == y).sum().item() for x, y in batches
    )
    return hits / len(labels)


@dataclass(frozen=True, kw_only=True)
class ClassifierFeatures(Extractor):
    """The last hidden layer of the classifier of a `ClassifierSpec`.

    Args:
        classifier: classifier and training settings; `build` takes the trained weights.
    """

    KIND = "ClassifierFeatures"

    classifier: ClassifierSpec

    @property
    def name(self) -> str:
        """The name of the data set followed by ``-cnn``."""
        return f"{self.classifier.data.name}-cnn"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the images that the classifier is for, (C, H, W)."""
        return self.classifier.data.shape

    @property
    def n_features(self) -> int:
        """Size of the last hidden layer of the classifier."""
        return self.classifier.n_features

    @property
    def n_classes(self) -> int:
        """Number of classes of the data set."""
        return self.classifier.data.n_classes

    def certainty(self, probabilities: Tensor) -> float:
        """Returns how sure the classifier is: the mean probability of the most likely class.

        The classes of images of which the classifier is much less sure than of real images are
        hardly more than guesses.

        Args:
            probabilities: class probabilities of images, (N, n_classes), N >= 1.

        Returns:
            A mean over images (of stacks, also over channels), 1 / k to 1 for k classes.
        """
        single = probabilities.unflatten(1, (-1, self.classifier.data.n_classes))
        return single.max(dim=2).values.double().mean().item()

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds the classifier with the given weights; see `Extractor.build`."""
        module = self.classifier.build()
        module.load_state_dict(weights)
        return module.requires_grad_(False).eval()

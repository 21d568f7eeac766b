"""A small classifier of the embedded data, whose last hidden layer serves as feature space.

The Inception network knows photographs of 1,000 everyday things and says little about 8 x 8
digits. A network trained to tell the classes of the data itself apart gives features in which a
missing class, a blurred stroke or leftover noise shows. Distances in them are named for what they
are (``fd[digits-cnn]``) and never compared with a FID.

Training is deterministic: weights, batches and dropped features follow from the spec's seed.
There is no batch normalization, so an image's features do not depend on the images beside it.
Dropout and strong weight decay keep the few training images from being learned by heart: features
that know them would put every other image, however real, at a distance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.data.base import DataSpec
from scorelib.errors import InputError
from scorelib.metrics.features import Extractor
from scorelib.seeds import generator_of, seed_of
from scorelib.spec import Spec

_SMALLEST_SIDE = 4
_WEIGHT_DECAY = 1.0
_KEPT = 0.5


class Classifier(nn.Module):
    """A convolutional classifier that halves the image down to 4 x 4 pixels.

    Args:
        shape: shape (C, H, W) of an image.
        n_classes: number of labels.
        width: channels at full resolution; doubled at each halving.
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
        """Last hidden layer, (B, n_features), of images (B, C, H, W) in [0, 1]."""
        return self.body(2 * images - 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, n_features) and class probabilities (B, n_classes)."""
        features = self.features(images)
        return features, self.head(features).softmax(dim=1)


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec(Spec):
    """A classifier and its training.

    Args:
        data: the data set; only its ``train`` split is learned from.
        width: channels at full resolution.
        n_features: size of the last hidden layer.
        iterations: training steps.
        batch_size: images per step, drawn with replacement.
        learning_rate: highest rate of the one-cycle schedule (AdamW).
        seed: of the initial weights, the batches and the dropped features.
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
        """Raises InputError unless sizes and rate are positive."""
        for name in ("width", "n_features", "iterations", "batch_size", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be positive, but got {getattr(self, name)}")

    def build(self) -> Classifier:
        """The classifier with its initial weights, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("classifier", "weights", self.seed))
            return Classifier(self.data.shape, self.data.n_classes, self.width, self.n_features)


def train_classifier(
    spec: ClassifierSpec, classifier: Classifier, images: Tensor, labels: Tensor
) -> Iterator[float]:
    """Trains a classifier in place, one step per value drawn from the iterator.

    Args:
        spec: what to train; its `ClassifierSpec.build` gave the classifier.
        classifier: on the device to train on.
        images: the training split, (N, C, H, W) in [0, 1].
        labels: (N,), int64.

    Yields:
        The cross entropy of each step's batch, in nats.
    """
    device = next(classifier.parameters()).device
    images, labels = images.to(device), labels.to(device)
    generator = generator_of("classifier", "batches", spec.seed)
    shape = (spec.batch_size, spec.n_features)
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=spec.learning_rate, weight_decay=_WEIGHT_DECAY
    )
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
    """Share of images, (N, C, H, W) in [0, 1], that get their label, (N,), as the likeliest."""
    device = next(classifier.parameters()).device
    batches = zip(images.split(1000), labels.split(1000), strict=True)
    hits = sum(
        (classifier(x.to(device))[1].argmax(dim=1).cpu() == y).sum().item() for x, y in batches
    )
    return hits / len(labels)


@dataclass(frozen=True, kw_only=True)
class ClassifierFeatures(Extractor):
    """The last hidden layer of a `ClassifierSpec`'s classifier.

    Args:
        classifier: the classifier; `build` takes the weights its training gave.
    """

    KIND = "ClassifierFeatures"

    classifier: ClassifierSpec

    @property
    def name(self) -> str:
        """The data's name and ``-cnn``."""
        return f"{self.classifier.data.name}-cnn"

    @property
    def n_features(self) -> int:
        """Size of the classifier's last hidden layer."""
        return self.classifier.n_features

    @property
    def n_classes(self) -> int:
        """Number of labels of the data."""
        return self.classifier.data.n_classes

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The classifier with the given weights; see `Extractor.build`."""
        module = self.classifier.build()
        module.load_state_dict(weights)
        return module.requires_grad_(False).eval()

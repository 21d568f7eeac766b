"""Classification accuracy score: test accuracy of a classifier trained on generated images.

A classifier is trained on generated images only, each labelled with the class it was generated for,
and tested on held-out real images. The score is the share of the real images that are classified
correctly. It is low if generated images do not belong to their class, and also if a class lacks
variety, which neither precision nor a Frechet distance over all classes detects. The baseline is
the accuracy of a classifier trained on real images.

The score is never abbreviated here, because CAS stands for consistent annealed sampling.

References:
    S. Ravuri and O. Vinyals, Classification accuracy score for conditional generative models, 2019.
    Chao et al. (2022), Table 2. The settings are those of its authors' code: ResNet-50, Adam at
    2e-4, batches of 150 without augmentation, 400,001 updates. The accuracy is that at the end.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.data.files import as_floats
from scorelib.devices.precision import Precision
from scorelib.errors import InputError
from scorelib.metrics.classifier import Classifier
from scorelib.optim import AdamSpec
from scorelib.seeds import seeded
from scorelib.spec import Spec, added_later
from scorelib.training.base import Draws, Training

_TEST_BATCH_IMAGES = 500


@dataclass(frozen=True, kw_only=True)
class AccuracySpec(Spec):
    """The classifier that is trained on generated images, and its training settings.

    Args:
        network: "resnet50" for He et al.'s network for large images, in torchvision's version (23.5
            M parameters with ten classes), or "small" for `scorelib.metrics.classifier.Classifier`,
            which can be trained on two cores.
        optimizer: settings of Adam.
        batch_size: number of images per update, at least 2.
        iterations: number of updates, at least 1.
        seed: seed of the initial weights and of the order of the images.
        precision: precision in which the classifier is trained.
    """

    KIND = "AccuracySpec"

    network: Literal["resnet50", "small"] = "resnet50"
    optimizer: AdamSpec = field(default_factory=lambda: AdamSpec(learning_rate=2e-4))
    batch_size: int = 150
    iterations: int = 400_001
    seed: int = 0
    precision: Precision = added_later("float32")

    def validate(self) -> None:
        """Raises InputError unless `iterations` >= 1 and `batch_size` >= 2 (to have a variance)."""
        if self.iterations < 1 or self.batch_size < 2:
            raise InputError(
                "iterations must be at least 1 and batch_size at least 2; got "
                f"iterations={self.iterations}, batch_size={self.batch_size}"
            )

    def build(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """Builds a classifier with initial weights from the seed, the same in every call.

        Args:
            shape: shape (C, H, W) of an image.
            n_classes: number of classes.

        Returns:
            A module that maps images (B, C, H, W) in [0, 1] to logits (B, n_classes).

        Raises:
            InputError: the examples are not images.
        """
        if len(shape) != 3:
            raise InputError(f"examples must be images of shape (C, H, W), but got shape {shape}")
        with seeded("accuracy", "weights", self.seed):
            if self.network == "small":
                classifier = Classifier(shape, n_classes, width=16, n_features=64)
                return nn.Sequential(classifier.body, classifier.head)
            from torchvision.models import resnet50  # imported here because it takes two seconds

            network = resnet50(num_classes=n_classes)
            if shape[0] != network.conv1.in_channels:
                network.conv1 = nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
            return network


class AccuracyTraining(Training):
    """Resumable training of a classifier by cross entropy, without data augmentation.

    Batches are not split into smaller ones, because the classifier may normalise over the batch.

    Args:
        spec: classifier and training settings.
        images: training images, (N, C, H, W), uint8 or float32 in [0, 1], N >= spec.batch_size.
        labels: class of each image, (N,) int64.
        n_classes: number of classes.
        device: device to train on.

    Raises:
        InputError: there are fewer images than a batch needs, or an image has no label.
    """

    def __init__(
        self,
        spec: AccuracySpec,
        images: Tensor,
        labels: Tensor,
        n_classes: int,
        *,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(images) < spec.batch_size or labels.shape != images.shape[:1]:
            raise InputError(
                f"there must be at least {spec.batch_size} images (the batch size), each with a "
                f"label; got {len(images)} images and labels of shape {tuple(labels.shape)}"
            )
        super().__init__(
            spec.build(tuple(images.shape[1:]), n_classes), images, schedule=None,
            optimizer=spec.optimizer, ema=(), batch_size=spec.batch_size, flips=False,
            seed=spec.seed, device=device, precision=spec.precision,
        )  # fmt: skip
        self._labels = labels.to(self._device)

    def _draws(self, iteration: int) -> Draws:
        return self._chosen(self._batch(iteration, "accuracy epoch"))

    def _update(self, draws: Draws) -> dict[str, Tensor]:
        examples = self._clean(draws), self._labels[draws.indices]
        return self._gradient_step(examples, self._losses)

    def _losses(self, x: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = functional.cross_entropy(self.network(x), labels)
        return loss, {"ce": loss}

    @torch.inference_mode()
    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Returns the share of images for which the label is the most probable class, 0 to 1.

        Args:
            images: images, (N, C, H, W), uint8 or float32 in [0, 1].
            labels: class of each image, (N,) int64.
        """
        self.network.eval()
        batches = zip(
            images.split(_TEST_BATCH_IMAGES), labels.split(_TEST_BATCH_IMAGES), strict=True
        )
        hits = sum(
            (self.network(as_floats(x).to(self._device)).argmax(dim=1).cpu() == y).sum().item()
            for x, y in batches
        )
        self.network.train()
        return hits / len(labels)

"""Feature extractors: maps from images to the feature spaces in which metrics are computed.

A metric depends on its feature space, so the extractor is part of the metric's name:
`Extractor.distance_name` is ``fid`` for the Inception network and ``fd[...]`` for any other
extractor, and `Extractor.score_name` is ``is`` or ``is[...]``. Values of different extractors are
never shown in the same column.

Before feature extraction, images are clamped to [0, 1] and rounded to 8 bits, as if they had been
saved as PNG and read again, because published metrics are measured on such images. Real images are
processed in the same way. Without this step the distance changes, because samples slightly exceed
[0, 1] and the features depend on these values. Points in the plane are not quantized
(`Coordinates`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from scorelib.data.files import as_floats
from scorelib.errors import InputError
from scorelib.spec import Spec

_HIGHEST_LEVEL = 255


@dataclass(frozen=True, kw_only=True)
class Extractor(Spec, ABC):
    """Base class of feature extractors: the network, its features and its classes.

    The weights come from `load_weights`, or from a training that `tuning.stages.features` registers
    for the class.

    Class attributes:
        needs_gpu: whether the features of a data set should be computed on a GPU.
        one_class_per_image: whether the class probabilities of an image sum to one.
    """

    KIND = "Extractor"
    needs_gpu: ClassVar[bool] = False
    one_class_per_image: ClassVar[bool] = True

    @property
    @abstractmethod
    def name(self) -> str:
        """Short name of the feature space, such as ``digits-cnn``."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Dimension d of the feature space."""

    @property
    @abstractmethod
    def n_classes(self) -> int:
        """Number of class probabilities; 0 if the extractor has none."""

    @property
    def distance_name(self) -> str:
        """Displayed name of Frechet distances in this feature space."""
        return f"fd[{self.name}]"

    @property
    def score_name(self) -> str:
        """Displayed name of Inception scores with these class probabilities."""
        return f"is[{self.name}]"

    def load_weights(self, weights_path: Path | None = None) -> Mapping[str, Tensor]:
        """Loads the weights of the network; without an own method, there are none.

        The method is called by each launch, before anything is scheduled, and by workers. An
        extractor whose weights lie in a file should have a digest of the file as a field, and
        compare the digest here.

        Args:
            weights_path: file of Inception weights that the settings name (InceptionFeatures);
                None if they name none.

        Returns:
            The state dict for `build`, on the CPU.
        """
        return {}

    @abstractmethod
    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds the extractor as a module in evaluation mode, for `extract`.

        Args:
            weights: state dict of the network.

        Returns:
            A module that maps images (B, C, H, W), float in [0, 1] with 8-bit values, or vectors
            (B, D), to features (B, n_features) and class probabilities (B, n_classes), both
            float32.
        """


@dataclass(frozen=True, kw_only=True)
class Coordinates(Extractor):
    """An extractor for points in the plane: features are the coordinates; there are no classes."""

    KIND = "Coordinates"

    @property
    def name(self) -> str:
        """Name of the feature space: ``plane``."""
        return "plane"

    @property
    def n_features(self) -> int:
        """Dimension of the feature space: 2."""
        return 2

    @property
    def n_classes(self) -> int:
        """Number of class probabilities: 0."""
        return 0

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds the identity; `weights` must be empty. See `Extractor.build`."""
        module = _Points()
        module.load_state_dict(weights)
        return module.eval()


class _Points(nn.Module):
    """A module that maps points (B, 2) to the same points and empty probabilities, (B, 0)."""

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(
                f"points in the plane must have shape (B, 2), but got {tuple(points.shape)}; "
                "for images, use an extractor of image features"
            )
        return points, points.new_empty(len(points), 0)


@dataclass(frozen=True, kw_only=True)
class Pixels(Extractor):
    """An extractor that uses the pixel values of images as features; there are no classes.

    Args:
        shape: shape (C, H, W) of an image.
    """

    KIND = "Pixels"

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the feature space: ``pixels``."""
        return "pixels"

    @property
    def n_features(self) -> int:
        """Dimension of the feature space: C H W, the number of values of an image."""
        return math.prod(self.shape)

    @property
    def n_classes(self) -> int:
        """Number of class probabilities: 0."""
        return 0

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds a module that flattens images; `weights` must be empty. See `Extractor.build`."""
        module = _Flat()
        module.load_state_dict(weights)
        return module.eval()

    def images(self, features: Tensor) -> Tensor:
        """Converts features back to images.

        Args:
            features: features of images, (N, n_features).

        Returns:
            8-bit images, (N, C, H, W) uint8.
        """
        levels = (features * _HIGHEST_LEVEL).round().to(torch.uint8)
        return levels.reshape(len(features), *self.shape)


class _Flat(nn.Module):
    """A module that maps images (B, C, H, W) to vectors (B, C H W) and no probabilities, (B, 0)."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1), images.new_empty(len(images), 0)


def quantize(images: Tensor) -> Tensor:
    """Quantizes images as in an 8-bit file: clamps to [0, 1], rounds to multiples of 1 / 255.

    Args:
        images: floating-point images, any shape, finite, nominally in [0, 1].

    Returns:
        A tensor of the same shape and dtype. Quantizing twice gives the same as quantizing once.

    Raises:
        InputError: a value is not finite, so it corresponds to no 8-bit level.
    """
    return (_finite(images).clamp(0, 1) * _HIGHEST_LEVEL).round() / _HIGHEST_LEVEL


def _finite(x: Tensor) -> Tensor:
    bad = (~x.isfinite()).sum().item()
    if bad:
        raise InputError(
            f"images must be finite to be scored, but {bad} of {x.numel()} values are not: "
            "the sampler diverged, use a smaller epsilon"
        )
    return x


@torch.inference_mode()
def extract(module: nn.Module, images: Tensor, batch_size: int = 256) -> tuple[Tensor, Tensor]:
    """Computes the features and class probabilities of images or vectors.

    Images are quantized first; vectors are used unchanged.

    Args:
        module: module returned by `Extractor.build`, on the device to use.
        images: images, (N, C, H, W), floating-point and nominally in [0, 1], or uint8; or vectors,
            (N, D). They may be on any device.
        batch_size: number of images per forward pass. It affects memory and speed; results change
            only by rounding.

    Returns:
        Features (N, d) and probabilities (N, n_classes), float32 on the CPU.

    Raises:
        InputError: there are no images, or a value is not finite.
    """
    if len(images) == 0:
        raise InputError("there must be at least one image to extract features of, but got none")
    # A module without weights is applied on the device of the images.
    device = next((p.device for p in module.parameters()), images.device)
    prepare = quantize if images.ndim == 4 else _finite
    batches = [module(prepare(as_floats(b).to(device))) for b in images.split(batch_size)]
    features, probabilities = zip(*batches, strict=True)
    return torch.cat(features).float().cpu(), torch.cat(probabilities).float().cpu()

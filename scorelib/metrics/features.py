"""Feature extractors: from images to the space in which they are measured.

A number is only as meaningful as its features, so the extractor is part of its name:
`Extractor.distance_name` is ``fid`` for the Inception network and ``fd[...]`` for any other,
`Extractor.score_name` likewise ``is`` and ``is[...]``. Numbers of different extractors never share
a column.

Before its features are taken an image is clamped to [0, 1] and rounded to 8 bits, as if it had
been saved as PNG and read again, which is how published samples are scored. Real images go the
same way. Skipping it moves the distance: samples overshoot [0, 1] slightly, and networks see that.
Points in the plane are no files of pixels: they are measured as they are (`Coordinates`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorelib.data.files import as_floats
from scorelib.errors import InputError
from scorelib.spec import Spec

_HIGHEST_LEVEL = 255


@dataclass(frozen=True, kw_only=True)
class Extractor(Spec, ABC):
    """A feature extractor: which network, and how many features it gives."""

    KIND = "Extractor"

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
        """Number of class probabilities."""

    @property
    def distance_name(self) -> str:
        """Name under which Frechet distances in this space are shown."""
        return f"fd[{self.name}]"

    @property
    def score_name(self) -> str:
        """Name under which Inception scores by these classes are shown."""
        return f"is[{self.name}]"

    @abstractmethod
    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The extractor as a module in evaluation mode, for `extract`.

        Args:
            weights: the network's state dict.

        Returns:
            A module that maps images (B, C, H, W), float in [0, 1] with 8-bit values, or vectors
            (B, D), to features (B, n_features) and class probabilities (B, n_classes), both
            float32.
        """


@dataclass(frozen=True, kw_only=True)
class Coordinates(Extractor):
    """Points in the plane as their own features: no weights, no classes."""

    KIND = "Coordinates"

    @property
    def name(self) -> str:
        """``plane``."""
        return "plane"

    @property
    def n_features(self) -> int:
        """Two coordinates."""
        return 2

    @property
    def n_classes(self) -> int:
        """None."""
        return 0

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """The identity; `weights` must be empty. See `Extractor.build`."""
        module = _Points()
        module.load_state_dict(weights)
        return module.eval()


class _Points(nn.Module):
    """Points (B, 2) to the same points and no probabilities, (B, 0)."""

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(
                f"points in the plane must have shape (B, 2), but got {tuple(points.shape)}; "
                "images need a network's features"
            )
        return points, points.new_empty(len(points), 0)


@dataclass(frozen=True, kw_only=True)
class Pixels(Extractor):
    """Images as their own features, pixel by pixel: no weights, no classes.

    Args:
        shape: of an image, (C, H, W).
    """

    KIND = "Pixels"

    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """``pixels``."""
        return "pixels"

    @property
    def n_features(self) -> int:
        """As many as an image has values."""
        return math.prod(self.shape)

    @property
    def n_classes(self) -> int:
        """None."""
        return 0

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Images as vectors; `weights` must be empty. See `Extractor.build`."""
        module = _Flat()
        module.load_state_dict(weights)
        return module.eval()

    def images(self, features: Tensor) -> Tensor:
        """The 8-bit images, (N, C, H, W) uint8, whose features, (N, n_features), these are."""
        levels = (features * _HIGHEST_LEVEL).round().to(torch.uint8)
        return levels.reshape(len(features), *self.shape)


class _Flat(nn.Module):
    """Images (B, C, H, W) to vectors (B, C H W) and no probabilities, (B, 0)."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1), images.new_empty(len(images), 0)


def quantize(images: Tensor) -> Tensor:
    """Images as an 8-bit file would hold them: clamped to [0, 1], rounded to multiples of 1 / 255.

    Args:
        images: floating, any shape, finite, nominally in [0, 1].

    Returns:
        A tensor of the same shape and dtype. Quantizing twice changes nothing.

    Raises:
        InputError: values that are not finite; no 8-bit level stands for them.
    """
    return (_finite(images).clamp(0, 1) * _HIGHEST_LEVEL).round() / _HIGHEST_LEVEL


def _finite(x: Tensor) -> Tensor:
    bad = (~x.isfinite()).sum().item()
    if bad:
        raise InputError(
            f"images must be finite to be scored, but {bad} of {x.numel()} values are not: "
            "the sampler diverged, try a smaller epsilon"
        )
    return x


@torch.inference_mode()
def extract(module: nn.Module, images: Tensor, batch_size: int = 256) -> tuple[Tensor, Tensor]:
    """Features and class probabilities of images, quantized first, or of vectors as they are.

    Args:
        module: what `Extractor.build` returned, on the device to use.
        images: (N, C, H, W), floating, nominally in [0, 1], or uint8; or vectors (N, D), on any
            device.
        batch_size: images per forward pass; changes memory and speed, results only by rounding.

    Returns:
        Features (N, d) and probabilities (N, n_classes), float32 on the CPU.

    Raises:
        InputError: no images, or values that are not finite.
    """
    if len(images) == 0:
        raise InputError("there must be at least one image to extract features of, but got none")
    # A module without weights works where the images are.
    device = next((p.device for p in module.parameters()), images.device)
    prepare = quantize if images.ndim == 4 else _finite
    batches = [module(prepare(as_floats(b).to(device))) for b in images.split(batch_size)]
    features, probabilities = zip(*batches, strict=True)
    return torch.cat(features).float().cpu(), torch.cat(probabilities).float().cpu()

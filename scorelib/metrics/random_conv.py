r"""Features of a convolutional network with random weights: an extractor that needs no training.

Pictures without labels have no classifier to take features from, and the Inception weights may not
be at hand. This network is drawn from a seed, so it works on any images, offline. Images are
resized to 32 x 32 pixels (bilinear, antialiased), and grey images get three equal channels. Four
layers of 3 x 3 convolutions follow, each with the rectifier; the second to fourth halve the
resolution. The features are the mean and the standard deviation, over all pixels, of each layer's
channels.

The features respond to colour, contrast, edges and texture, and hardly to the meaning of an image.
A distance tells noise and wrong colours or textures from real pictures. The distance is named
``fd[random-conv]`` and is never compared with a FID.

References:
    M. F. Naeem et al., Reliable fidelity and diversity metrics for generative models, ICML 2020,
    section 3.2: random networks as extractors for metrics of generated images.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.errors import InputError
from scorelib.metrics.features import Extractor
from scorelib.seeds import generator_of

_SIDE = 32
_CHANNELS = (3, 8, 16, 24, 32)
_KERNEL = 3
_BIAS = 0.5


class RandomConv(nn.Module):
    """The network; its weights are those of `RandomConvFeatures.load_weights`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, _KERNEL, min(i, 2), padding=1, padding_mode="reflect")
            for i, (before, after) in enumerate(pairwise(_CHANNELS), start=1)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features of images, and no class probabilities.

        Args:
            images: RGB images, (B, 3, H, W), or grey images, (B, 1, H, W), in [0, 1].

        Returns:
            Features, (B, 160), and probabilities, (B, 0).

        Raises:
            InputError: the images have another shape.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(
                "random convolutions need RGB or grey images of shape (B, 3 or 1, H, W), but got "
                f"{tuple(images.shape)}; for other data, use another extractor"
            )
        x = functional.interpolate(
            2 * images - 1, size=(_SIDE, _SIDE), mode="bilinear", antialias=True
        ).expand(-1, 3, -1, -1)
        statistics: list[Tensor] = []
        for layer in self.layers:
            x = layer(x).relu()
            statistics += [x.mean(dim=(2, 3)), x.std(dim=(2, 3))]
        return torch.cat(statistics, dim=1), images.new_empty(len(images), 0)


@dataclass(frozen=True, kw_only=True)
class RandomConvFeatures(Extractor):
    """The features of a convolutional network with random weights, at 32 x 32 pixels.

    Args:
        seed: seed of the weights. Distances of different seeds are not comparable.
    """

    KIND = "RandomConvFeatures"

    seed: int = 0

    @property
    def name(self) -> str:
        """``random-conv``; for a seed other than 0, followed by the seed."""
        return f"random-conv-{self.seed}" if self.seed else "random-conv"

    @property
    def n_features(self) -> int:
        """160: two for each of 80 channels."""
        return 2 * sum(_CHANNELS[1:])

    @property
    def n_classes(self) -> int:
        """Number of class probabilities: 0."""
        return 0

    def load_weights(self, weights_path: Path | None = None) -> dict[str, Tensor]:
        """Draws the weights from the seed; see `Extractor.load_weights`.

        Weights have mean 0 and variance 2 / fan-in, which keeps the size of the activations from
        layer to layer (He et al. 2015); biases have standard deviation 0.5.

        Args:
            weights_path: not used.
        """
        generator = generator_of("random convolutions", self.seed)
        weights: dict[str, Tensor] = {}
        for i, (before, after) in enumerate(pairwise(_CHANNELS)):
            shape = (after, before, _KERNEL, _KERNEL)
            scale = math.sqrt(2 / (before * _KERNEL**2))
            weights[f"layers.{i}.weight"] = scale * torch.randn(shape, generator=generator)
            weights[f"layers.{i}.bias"] = _BIAS * torch.randn(after, generator=generator)
        return weights

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Builds the network with the given weights; see `Extractor.build`."""
        module = RandomConv()
        module.load_state_dict(weights)
        return module.requires_grad_(False).eval()

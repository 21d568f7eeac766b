r"""ResNet-18 and ResNet-34 classifiers of noised images, conditioned on the noise level.

The network is that of He et al. with basic blocks, in the usual form for images of 32 pixels: a
3 x 3 stem and no pooling before the first stage. The noise level enters as in NCSN++. Fixed random
frequencies f map log(sigma) to (sin 2 pi f log(sigma), cos 2 pi f log(sigma)), two linear layers
map these features to an embedding t, and after each of the four stages a linear layer of t is added
to every channel. The noisy image enters unscaled.

Two choices are deliberate:

- Group normalisation with 16 channels per group replaces the authors' batch normalisation, with the
  same number of parameters. With batch normalisation the examples of a batch would depend on one
  another, and the gradient in x would not be a likelihood score; see `scorelib.guidance`.
- SiLU replaces the ReLU of ResNets, as in the authors' code. Training fits the gradient in x, which
  is discontinuous with ReLU.

References:
    He et al., Deep residual learning for image recognition, 2016.
    Song et al., Score-based generative modeling through SDEs, 2021 (embedding of the noise level).
    Chao et al. (2022), Appendix A.6.3: ResNet-18 on CIFAR-10, ResNet-34 on CIFAR-100.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.errors import InputError
from scorelib.networks.layers.group_norm import GroupNorm
from scorelib.networks.noise_classifier import NoiseClassifier, NoiseClassifierSpec

_BLOCKS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}
_WIDENING = (1, 2, 4, 8)
_GROUP_CHANNELS = 16
_N_FREQUENCIES = 32
_FREQUENCY_SCALE = 16.0
_N_EMBEDDED = 128


@dataclass(frozen=True, kw_only=True)
class ResNetClassifier(NoiseClassifierSpec):
    """Noise-conditional ResNet classifier of images.

    Args:
        depth: number of layers.
        width: number of channels of the first stage, >= 1; 64 in the paper.
    """

    KIND = "ResNetClassifier"

    depth: Literal[18, 34] = 18
    width: int = 64

    def validate(self) -> None:
        """Raises InputError if `width` is below 1."""
        if self.width < 1:
            raise InputError(f"width must be at least 1, but got {self.width}")

    def build(self, shape: tuple[int, ...], n_classes: int) -> NoiseClassifier:
        """Returns a classifier with initial weights for images; see `NoiseClassifierSpec.build`."""
        if len(shape) != 3:
            raise InputError(f"ResNetClassifier needs images (C, H, W), but got shape {shape}")
        return ResNet(shape[0], n_classes, _BLOCKS[self.depth], self.width)


class ResNet(NoiseClassifier):
    """The network of `ResNetClassifier`.

    Args:
        n_channels: number of channels of an image.
        n_classes: number of classes K.
        n_blocks: number of basic blocks of each of the four stages.
        width: number of channels of the first stage.
    """

    def __init__(self, n_channels: int, n_classes: int, n_blocks: list[int], width: int) -> None:
        super().__init__()
        channels = [width * factor for factor in _WIDENING]
        self.stem = nn.Sequential(
            nn.Conv2d(n_channels, width, 3, padding=1, bias=False), _norm(width), nn.SiLU()
        )
        inputs = [width, *channels[:-1]]
        self.stages = nn.ModuleList(
            _stage(n_in, n_out, n, stride=1 if number == 0 else 2)
            for number, (n_in, n_out, n) in enumerate(zip(inputs, channels, n_blocks, strict=True))
        )
        self.last = nn.Linear(channels[-1], n_classes)
        self.register_buffer("frequencies", _FREQUENCY_SCALE * torch.randn(_N_FREQUENCIES))
        self.embed = nn.Sequential(
            nn.Linear(2 * _N_FREQUENCIES, _N_EMBEDDED),
            nn.SiLU(),
            nn.Linear(_N_EMBEDDED, _N_EMBEDDED),
        )
        self.levels = nn.ModuleList(nn.Linear(_N_EMBEDDED, n) for n in channels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the logits, (B, K), for noisy images, (B, C, H, W), and levels, (B,) or ()."""
        angles = 2 * math.pi * sigma.log().reshape(-1, 1) * self.frequencies
        level = functional.silu(self.embed(torch.cat([angles.sin(), angles.cos()], dim=1)))
        h = self.stem(x)
        for stage, of_level in zip(self.stages, self.levels, strict=True):
            h = stage(h) + of_level(level)[:, :, None, None]
        return self.last(h.mean(dim=(2, 3)))


def _norm(n_channels: int) -> GroupNorm:
    # Normalising two values yields only their signs, which have no gradient. Small images are
    # reduced to a single pixel, so each group needs many channels.
    groups = math.gcd(n_channels, max(1, n_channels // _GROUP_CHANNELS))
    return GroupNorm(groups, n_channels)


def _stage(n_in: int, n_out: int, n_blocks: int, stride: int) -> nn.Sequential:
    """Returns a stage of basic blocks; the first block changes resolution and channels."""
    # Imported here because importing torchvision takes two seconds.
    from torchvision.models.resnet import BasicBlock

    blocks = []
    for number in range(n_blocks):
        shortcut, by = None, stride if number == 0 else 1
        if by != 1 or n_in != n_out:
            shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, by, bias=False), _norm(n_out))
        blocks.append(BasicBlock(n_in, n_out, by, shortcut, norm_layer=_norm))
        blocks[-1].relu = nn.SiLU()
        n_in = n_out
    return nn.Sequential(*blocks)

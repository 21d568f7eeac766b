r"""Residual classifiers of noised images: ResNet-18 and ResNet-34 for small images, told sigma.

The body is He et al.'s with basic blocks, made for images of 32 pixels as usual: a 3 x 3 stem and
no pooling before the first stage. The noise level enters as in NCSN++: fixed random frequencies f
turn log(sigma) into (sin 2 pi f log(sigma), cos 2 pi f log(sigma)), two linear layers into an
embedding t, and after each of the four stages a linear layer of t is added to every channel.
The image enters as it is, not scaled by its noise.

Two things are on purpose:

- Group normalisation, 16 channels a group, where the authors have batch normalisation; it has as
  many parameters. Over the batch, examples would see each other and the gradient in x would not be
  a likelihood score: `scorelib.guidance` has the reason.
- SiLU where ResNets have ReLU, as in the authors' code. The gradient in x is what is trained, and
  with ReLU it jumps.

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
from scorelib.networks.noise_classifier import NoiseClassifier, NoiseClassifierSpec

_BLOCKS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3]}
_WIDENING = (1, 2, 4, 8)
_GROUP_CHANNELS = 16
_N_FREQUENCIES = 32
_FREQUENCY_SCALE = 16.0
_N_EMBEDDED = 128


@dataclass(frozen=True, kw_only=True)
class ResNetClassifier(NoiseClassifierSpec):
    """A residual classifier of images.

    Args:
        depth: layers.
        width: channels of the first stage, >= 1; 64 in the paper.
    """

    KIND = "ResNetClassifier"

    depth: Literal[18, 34] = 18
    width: int = 64

    def validate(self) -> None:
        """Refuses networks without channels."""
        if self.width < 1:
            raise InputError(f"width must be at least 1; got {self.width}")

    def build(self, shape: tuple[int, ...], n_classes: int) -> NoiseClassifier:
        """A classifier with fresh weights for images."""
        if len(shape) != 3:
            raise InputError(f"ResNetClassifier takes images, (C, H, W); got examples of {shape}")
        return ResNet(shape[0], n_classes, _BLOCKS[self.depth], self.width)


class ResNet(NoiseClassifier):
    """The network of `ResNetClassifier`.

    Args:
        n_channels: of an image.
        n_classes: number of labels.
        n_blocks: basic blocks of each of the four stages.
        width: channels of the first stage.
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
        """Logits, (B, K), of noisy images (B, C, H, W) at levels (B,) or ()."""
        angles = 2 * math.pi * sigma.log().reshape(-1, 1) * self.frequencies
        level = functional.silu(self.embed(torch.cat([angles.sin(), angles.cos()], dim=1)))
        h = self.stem(x)
        for stage, of_level in zip(self.stages, self.levels, strict=True):
            h = stage(h) + of_level(level)[:, :, None, None]
        return self.last(h.mean(dim=(2, 3)))


def _norm(n_channels: int) -> nn.GroupNorm:
    # Two values normalised together are their signs, whose gradient is none: small images shrink to
    # one pixel, so it is the channels of a group that must be many.
    groups = math.gcd(n_channels, max(1, n_channels // _GROUP_CHANNELS))
    return nn.GroupNorm(groups, n_channels)


def _stage(n_in: int, n_out: int, n_blocks: int, stride: int) -> nn.Sequential:
    """Basic blocks, the first of which changes resolution and channels."""
    # Here: importing torchvision takes two seconds.
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

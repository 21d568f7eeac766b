"""NCSNv2: an unconditional RefineNet with dilated stages.

The network is a stack of stages of two residual blocks each. The first stage keeps the resolution
and the next stages halve it. The last two stages keep it and dilate their convolutions by 2 and 4
instead, so that the receptive field grows as with pooling while the resolution stays. RefineNet
blocks then go back up: each block merges the output of one stage with the output of the previous
RefineNet block. Channels and resolution of the stages, and parameters:

    stage widths (1, 2, 2, 2) * ngf         32, 16, 16, 16 pixels    NCSNv2, 29.7 M parameters
    stage widths (1, 2, 2, 4, 4) * ngf      64, 32, 16, 16, 16       for 64 pixel scenes, 83.4 M
    stage widths (1, 2, 2, 2, 4, 4) * ngf   256, 128, 64, 32, 32, 32 for 256 pixels, 94.1 M

The published network divides its output by sigma. This network, as in adversarial score matching,
does not, so its output is sigma * score (see `scorelib.networks.base`).

The predecessor NCSN (`scorelib.networks.ncsn`) has the same structure with other `Parts`.

References:
    Song and Ermon 2020, Improved techniques for training score-based generative models.
    Lin et al. 2017, RefineNet.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.networks.layers.elu import elu
from scorelib.networks.layers.instance_norm import InstanceNormPlus
from scorelib.networks.layers.winograd import Conv3x3

_DILATIONS = (2, 4)


@dataclass(frozen=True, kw_only=True)
class Ncsnv2(NetworkSpec):
    """NCSNv2 for images of at least 8x8 pixels; the defaults are the CIFAR-10 network.

    Args:
        ngf: number of channels of the first stage, at least 2.
        multipliers: number of channels of each stage in units of ngf, for at least 3 stages. The
            last two stages are dilated and must have equal multipliers.
    """

    KIND = "Ncsnv2"

    ngf: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    conditional: ClassVar[bool] = False

    def validate(self) -> None:
        """Raises InputError if `ngf` or `multipliers` is out of range."""
        name = type(self).__name__
        if self.ngf < 2:
            raise InputError(f"{name}.ngf must be at least 2, but got {self.ngf}")
        if len(self.multipliers) < 3 or min(self.multipliers) < 1:
            raise InputError(
                f"{name}.multipliers must be three or more positive integers, one per stage, "
                f"but got {self.multipliers}"
            )
        if self.multipliers[-1] != self.multipliers[-2]:
            raise InputError(
                f"the last two of {name}.multipliers must be equal (their stages have the same "
                f"resolution, and the first refinement keeps the number of channels), but got "
                f"{self.multipliers}"
            )

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights for images of shape (C, H, W)."""
        return RefineNet(shape[0], self.widths(shape))

    def widths(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the number of channels of each stage.

        Args:
            shape: shape of one image, (C, H, W).

        Raises:
            InputError: the shape is not that of an image, or the image is too small to be halved
                in every halving stage.
        """
        n_halvings = len(self.multipliers) - 1 - len(_DILATIONS)
        smallest = max(8, 2 ** (n_halvings + 1))
        if len(shape) != 3 or min(shape[1:]) < smallest:
            raise InputError(
                f"{type(self).__name__} with {len(self.multipliers)} stages needs images (C, H, W) "
                f"of at least {smallest}x{smallest} pixels, but got {shape}; use ResidualMlp for "
                "smaller data"
            )
        return tuple(self.ngf * m for m in self.multipliers)


class RefineNet(ScoreNetwork):
    """The network of `Ncsnv2`: a downward path of stages, an upward path of refinements.

    Args:
        channels: number of channels of an image.
        widths: number of channels of each stage, starting at full resolution.
        parts: normalisations and pooling of the blocks; None for those of NCSNv2.
    """

    def __init__(
        self, channels: int, widths: tuple[int, ...], parts: "Parts | None" = None
    ) -> None:
        super().__init__()
        parts = parts or Parts()
        n_halvings = len(widths) - 1 - len(_DILATIONS)
        dilations = (1,) * n_halvings + _DILATIONS
        self.first = _conv(channels, widths[0])
        self.stages = nn.ModuleList([_stage(parts, widths[0], widths[0], descend=False)])
        for (before, width), dilation in zip(itertools.pairwise(widths), dilations, strict=True):
            self.stages.append(_stage(parts, before, width, descend=True, dilation=dilation))
        # A refinement has as many channels as the next stage up, with which it is merged there.
        refined = (widths[0], *widths[:-1])
        self.refinements = nn.ModuleList([RefineBlock(parts, (widths[-1],), refined[-1])])
        for i in reversed(range(len(widths) - 1)):
            n_output_units = 3 if i == 0 else 1
            self.refinements.append(
                RefineBlock(parts, (widths[i], refined[i + 1]), refined[i], n_output_units)
            )
        self.norm = parts.norm(widths[0])
        self.last = _conv(widths[0], channels)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x, shape (B, C, H, W); `sigma` is ignored."""
        return self.refined(x, None)

    def refined(self, x: Tensor, level: Tensor | None) -> Tensor:
        """Returns the output of the last convolution, shape (B, C, H, W).

        Args:
            x: images, in [0, 1] before the noise is added, shape (B, C, H, W).
            level: index of the noise level of each image, shape (B,), or of all images, shape ();
                None if no normalisation uses the level.
        """
        h = self.first(2 * x - 1)
        descended = []
        for stage in self.stages:
            h = stage(h, level)
            descended.append(h)
        h = self.refinements[0]([descended.pop()], level)
        for refinement in self.refinements[1:]:
            h = refinement([descended.pop(), h], level)
        return self.last(elu(self.norm(h, level)))


class IdentityNorm(nn.Module):
    """A normalisation layer that returns its input unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """Returns x; `level` is ignored."""
        return x


@dataclass(frozen=True)
class Parts:
    """Normalisations and pooling of the blocks of a `RefineNet`; the defaults are those of NCSNv2.

    A normalisation is constructed with a number of channels and called with (x, level), shapes
    (B, C, H, W) and (B,) or ().

    Attributes:
        norm: normalisation in the stages and before the last convolution.
        refinement_norm: normalisation within the refinements.
        pool: pooling of the context, called with (x, kernel size, stride, padding).
    """

    norm: Callable[[int], nn.Module] = InstanceNormPlus
    refinement_norm: Callable[[int], nn.Module] = IdentityNorm
    pool: Callable[[Tensor, int, int, int], Tensor] = F.max_pool2d


class ConditionalSequential(nn.Sequential):
    """A sequence of modules that are all called with (x, level) and the same level."""

    def forward(self, x: Tensor, level: Tensor | None) -> Tensor:
        """Returns the output of the last module."""
        for module in self:
            x = module(x, level)
        return x


class ResidualBlock(nn.Module):
    """Residual block: two times normalisation, ELU and convolution, plus a shortcut.

    The first block of every stage except the first stage is *descending*. A descending block has a
    convolution in its shortcut and pools both branches unless it dilates.

    Args:
        parts: source of the normalisation.
        n_in: number of input channels.
        n_out: number of output channels; differs from n_in only in descending blocks.
        descend: whether the block is descending.
        dilation: dilation of all 3x3 convolutions of the block.
    """

    def __init__(
        self, parts: Parts, n_in: int, n_out: int, *, descend: bool, dilation: int = 1
    ) -> None:
        super().__init__()
        self.pools = descend and dilation == 1
        self.norm1 = parts.norm(n_in)
        self.conv1 = _conv(n_in, n_in, dilation=dilation)
        self.norm2 = parts.norm(n_in)
        self.conv2 = _conv(n_in, n_out, dilation=dilation)
        self.shortcut: nn.Module = nn.Identity()
        if descend:
            dilated = _conv(n_in, n_out, dilation=dilation)
            self.shortcut = nn.Conv2d(n_in, n_out, 1) if self.pools else dilated

    def forward(self, x: Tensor, level: Tensor | None) -> Tensor:
        """Returns the block's output, at half the size (rounded down) if the block pools."""
        h = self.conv1(elu(self.norm1(x, level)))
        h = self.conv2(elu(self.norm2(h, level))) + self.shortcut(x)
        # Average pooling is linear, so pooling the sum once pools both branches.
        return F.avg_pool2d(h, 2) if self.pools else h


class RefineBlock(nn.Module):
    """RefineNet block: residual units per input, fusing, pooled context, residual units.

    The inputs are fused at the size of the first input.

    Args:
        parts: source of the normalisations and the pooling.
        n_in: number of channels of each input.
        n_out: number of output channels; equal to n_in for a single input.
        n_output_units: number of residual units after the context.
    """

    def __init__(
        self, parts: Parts, n_in: tuple[int, ...], n_out: int, n_output_units: int = 1
    ) -> None:
        super().__init__()
        self.pool = parts.pool
        self.adapters = nn.ModuleList([_units(parts, n, 2) for n in n_in])
        fused = n_in if len(n_in) > 1 else ()
        self.fusers = nn.ModuleList([_conv(n, n_out) for n in fused])
        self.fuser_norms = nn.ModuleList([parts.refinement_norm(n) for n in fused])
        self.context = nn.ModuleList([_conv(n_out, n_out, bias=False) for _ in range(2)])
        self.context_norms = nn.ModuleList([parts.refinement_norm(n_out) for _ in range(2)])
        self.output = _units(parts, n_out, n_output_units)

    def forward(self, inputs: list[Tensor], level: Tensor | None) -> Tensor:
        """Returns the refined feature map, (B, n_out, H, W), at the size of the first input."""
        size = inputs[0].shape[2:]
        adapted = [adapter(x, level) for adapter, x in zip(self.adapters, inputs, strict=True)]
        if len(inputs) > 1:
            fusers = zip(self.fusers, self.fuser_norms, adapted, strict=True)
            adapted = [_resize(fuser(norm(x, level)), size) for fuser, norm, x in fusers]
        h = pooled = elu(functools.reduce(torch.add, adapted))
        for norm, conv in zip(self.context_norms, self.context, strict=True):
            pooled = conv(self.pool(norm(pooled, level), 5, 1, 2))
            h = h + pooled
        return self.output(h, level)


class ResidualUnit(nn.Module):
    """Residual unit: two times normalisation, ELU and convolution without bias, plus the input.

    Args:
        parts: source of the normalisations.
        channels: number of channels of the input and of the output.
    """

    def __init__(self, parts: Parts, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (parts.refinement_norm(channels) for _ in range(2))
        self.conv1 = _conv(channels, channels, bias=False)
        self.conv2 = _conv(channels, channels, bias=False)

    def forward(self, x: Tensor, level: Tensor | None) -> Tensor:
        """Returns a feature map of the shape of x."""
        h = self.conv1(elu(self.norm1(x, level)))
        return x + self.conv2(elu(self.norm2(h, level)))


def _stage(
    parts: Parts, n_in: int, n_out: int, *, descend: bool, dilation: int = 1
) -> ConditionalSequential:
    return ConditionalSequential(
        ResidualBlock(parts, n_in, n_out, descend=descend, dilation=dilation),
        ResidualBlock(parts, n_out, n_out, descend=False, dilation=dilation),
    )


def _units(parts: Parts, channels: int, n: int) -> ConditionalSequential:
    return ConditionalSequential(*(ResidualUnit(parts, channels) for _ in range(n)))


def _conv(n_in: int, n_out: int, *, dilation: int = 1, bias: bool = True) -> nn.Conv2d:
    return Conv3x3(n_in, n_out, dilation=dilation, bias=bias)


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)

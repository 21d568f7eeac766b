"""The unconditional U-Net: the network of denoising diffusion (DDPM) without its time input.

Each residual block applies the sequence group normalisation, swish, convolution twice. On the
downward path, convolutions with stride 2 halve the resolution. On the upward path,
nearest-neighbour upsampling and a convolution double the resolution, and every block also receives
an output of the downward path at the same resolution. Single-head self-attention follows each block
of the chosen levels and lies between the two blocks at the lowest resolution. With the default
settings and images of 32 x 32 pixels:

    widths (1, 2, 2, 2) * 128, attention at 16x16      32, 16, 8, 4 pixels    32.86 M parameters

Weights are initialised as in Ho et al.: uniform with variance 2 / (fan in + fan out), biases at
zero, and almost zero weights in the last convolution of each block, of each attention and of the
network. The output of an untrained network is therefore almost 0 everywhere. The authors' code of
adversarial score matching differs in two points: its initialisation mostly falls back to PyTorch's
defaults, and it builds the time embedding (328,704 parameters) without using it.

There is no dropout, as in the published run of that code.

References:
    Ho, Jain and Abbeel 2020, Denoising diffusion probabilistic models, Appendix B.
    Jolicoeur-Martineau et al. (2021), Section 6.1.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.networks.layers.group_norm import GroupNorm
from scorelib.networks.layers.winograd import Conv3x3

_GROUPS = 32
ALMOST_ZERO = 1e-5
"""Gain of layers that are initially almost zero; a variance scale of 1e-10."""


@dataclass(frozen=True, kw_only=True)
class DdpmUNet(NetworkSpec):
    """Unconditional U-Net for images; the defaults are the network of the CIFAR-10 table.

    Args:
        width: number of channels of the first level, in [2, 32] or a multiple of 32. Group norm has
            32 groups, or as many groups as `width` if that is less.
        multipliers: number of channels of each level in units of width; each level except the first
            halves the resolution.
        n_blocks: number of residual blocks per level on the downward path, at least 1; the upward
            path has one more.
        attention_levels: indices of the levels with self-attention, from 0; level 1 has 16x16
            pixels for images of 32x32 pixels.
        centres_input: whether images are mapped from [0, 1] to [-1, 1] first, as in Ho et al. The
            code of adversarial score matching does not map them.
    """

    KIND = "DdpmUNet"

    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    n_blocks: int = 2
    attention_levels: tuple[int, ...] = (1,)
    centres_input: bool = True
    conditional: ClassVar[bool] = False

    def validate(self) -> None:
        """Raises InputError if `width` does not divide into groups or a level does not exist."""
        if self.width < 2 or (self.width > _GROUPS and self.width % _GROUPS):
            raise InputError(
                f"DdpmUNet.width must be in [2, {_GROUPS}] or a multiple of {_GROUPS}, "
                f"but got {self.width}"
            )
        require_levels(self)

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights for images of shape (C, H, W)."""
        smallest = 2 ** len(self.multipliers)
        if len(shape) != 3 or min(shape[1:]) < smallest:
            raise InputError(
                f"DdpmUNet with {len(self.multipliers)} levels needs images (C, H, W) of at least "
                f"{smallest}x{smallest} pixels, but got {shape}; give fewer multipliers"
            )
        return UNet(shape[0], self)


class _Levels(Protocol):
    """The fields that the specs of all U-Nets share, for type checking."""

    @property
    def multipliers(self) -> tuple[int, ...]: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def attention_levels(self) -> tuple[int, ...]: ...


def require_levels(spec: _Levels) -> None:
    """Raises InputError unless a U-Net has levels and blocks and its attention levels exist."""
    name, levels = type(spec).__name__, spec.attention_levels
    if not spec.multipliers or min(spec.multipliers) < 1 or spec.n_blocks < 1:
        raise InputError(
            f"{name} must have at least one multiplier, all multipliers >= 1 and n_blocks >= 1, "
            "but got "
            f"(multipliers={spec.multipliers}, n_blocks={spec.n_blocks})"
        )
    if len(set(levels)) < len(levels) or not set(levels) <= set(range(len(spec.multipliers))):
        raise InputError(
            f"{name}.attention_levels must be different levels in "
            f"[0, {len(spec.multipliers) - 1}], but got {levels}"
        )


class UNet(ScoreNetwork):
    """The network of `DdpmUNet`.

    Args:
        channels: number of channels of an image.
        spec: architecture of the network.
    """

    def __init__(self, channels: int, spec: DdpmUNet) -> None:
        super().__init__()
        groups = min(_GROUPS, spec.width)
        widths = [spec.width * m for m in spec.multipliers]

        def step(n_in: int, level: int) -> nn.Sequential:
            block = ResidualBlock(n_in, widths[level], groups)
            attends = level in spec.attention_levels
            return nn.Sequential(block, *[Attention(widths[level], groups)] * attends)

        self.centres_input = spec.centres_input
        self.first = conv(channels, spec.width)
        self.down = nn.ModuleList()
        n, skipped = spec.width, [spec.width]  # channels of the current and of all skipped features
        for level, width in enumerate(widths):
            if level > 0:
                self.down.append(conv(n, n, stride=2))
                skipped.append(n)
            for _ in range(spec.n_blocks):
                self.down.append(step(n, level))
                skipped.append(n := width)
        self.middle = nn.Sequential(
            ResidualBlock(n, n, groups), Attention(n, groups), ResidualBlock(n, n, groups)
        )
        self.up = nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            for _ in range(spec.n_blocks + 1):
                self.up.append(step(n + skipped.pop(), level))
                n = width
            if level > 0:
                self.up.append(Upsample(n))
        self.norm = group_norm(n, groups)
        self.last = conv(n, channels, gain=ALMOST_ZERO)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x, shape (B, C, H, W); `sigma` is ignored."""
        h = self.first(2 * x - 1 if self.centres_input else x)
        skipped = [h]
        for step in self.down:
            h = step(h)
            skipped.append(h)
        h = self.middle(h)
        for step in self.up:
            if isinstance(step, Upsample):
                h = step(h, skipped[-1].shape[2:])
            else:
                h = step(torch.cat([h, skipped.pop()], 1))
        return self.last(F.silu(self.norm(h)))


class ResidualBlock(nn.Module):
    """Residual block: group normalisation, swish and convolution, twice, plus a shortcut.

    At initialisation the output is almost that of the shortcut.

    Args:
        n_in: number of input channels.
        n_out: number of output channels.
        groups: number of groups of the normalisations, a divisor of `n_in` and of `n_out`.
    """

    def __init__(self, n_in: int, n_out: int, groups: int) -> None:
        super().__init__()
        self.norm1 = group_norm(n_in, groups)
        self.conv1 = conv(n_in, n_out)
        self.norm2 = group_norm(n_out, groups)
        self.conv2 = conv(n_out, n_out, gain=ALMOST_ZERO)
        self.shortcut = nn.Identity() if n_in == n_out else conv(n_in, n_out, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output, shape (B, n_out, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return self.shortcut(x) + h


class Attention(nn.Module):
    """Single-head self-attention over the pixels of an image, plus the input.

    Args:
        channels: number of channels.
        groups: number of groups of the normalisation, a divisor of `channels`.
    """

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = group_norm(channels, groups)
        self.queries_keys_values = conv(channels, 3 * channels, size=1)
        with torch.no_grad():  # queries, keys and values each count as one layer
            for weight in self.queries_keys_values.weight.chunk(3):
                nn.init.xavier_uniform_(weight)
        self.last = conv(channels, channels, size=1, gain=ALMOST_ZERO)

    def forward(self, x: Tensor) -> Tensor:
        """Returns a feature map of the shape of x."""
        pixels = self.queries_keys_values(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1)
        h = F.scaled_dot_product_attention(*pixels.chunk(3, -1))
        return x + self.last(h.squeeze(1).transpose(1, 2).reshape(x.shape))


class Upsample(nn.Module):
    """Nearest-neighbour upsampling to twice the size, or one pixel less, and a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv(channels, channels)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        """Returns the feature map, shape (B, C, *size)."""
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


def group_norm(channels: int, groups: int) -> GroupNorm:
    """Returns a group normalisation as in Ho et al., with 1e-6 added to the variance."""
    return GroupNorm(groups, channels, eps=1e-6)


def conv(n_in: int, n_out: int, *, size: int = 3, stride: int = 1, gain: float = 1) -> nn.Conv2d:
    """Returns a convolution initialised as in Ho et al.

    Weights have Glorot's uniform distribution; biases are zero.

    Args:
        n_in: number of input channels.
        n_out: number of output channels.
        size: height and width of the kernel in pixels, odd; the image is padded with zeros.
        stride: step of the kernel in pixels.
        gain: factor of the initial weights.
    """
    if size == 3 and stride == 1:
        made: nn.Conv2d = Conv3x3(n_in, n_out)
    else:
        made = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2)
    nn.init.xavier_uniform_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made

"""The U-Net of denoising diffusion, without its time input: it ignores the noise level.

Residual blocks of group norm, swish and convolution, twice; strided convolutions on the way down,
nearest-neighbour enlargement and a convolution on the way up, where every block also gets the
output of its counterpart on the way down. Self-attention of one head follows each block of chosen
levels, and sits between the two blocks of the bottom.

    widths (1, 2, 2, 2) * 128, attention at 16x16      32, 16, 8, 4 pixels    32.86 M parameters

Weights start as in Ho et al.: uniform with variance 2 / (fan in + fan out), biases at zero, and
all but zero in the last convolution of each block, of each attention and of the network. A fresh
network therefore answers almost 0 everywhere. Two things differ from the authors' code of
adversarial score matching: its initialisation mostly fell back to the library's defaults, and it
built the time embedding (328,704 parameters) without using it.

There is no dropout: the published run of that code had none, and all randomness of a training is
in named streams.

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

_GROUPS = 32
ALMOST_ZERO = 1e-5
"""Gain of layers that start as nothing; a variance scale of 1e-10."""


@dataclass(frozen=True, kw_only=True)
class DdpmUNet(NetworkSpec):
    """An unconditional U-Net; the default is the network of the CIFAR-10 table.

    Args:
        width: channels of the first level: below 32, or a multiple of 32 (the groups normalised
            over: as many as channels if there are fewer than 32).
        multipliers: channels of each level in units of width; each level but the first halves the
            image.
        n_blocks: residual blocks per level on the way down (one more on the way up), at least 1.
        attention_levels: levels with self-attention, from 0; (1,) is 16x16 of 32x32 pixels.
        centres_input: bring images from [0, 1] to [-1, 1] first, as Ho et al. do. False: as the
            code of adversarial score matching, which does not.
    """

    KIND = "DdpmUNet"

    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    n_blocks: int = 2
    attention_levels: tuple[int, ...] = (1,)
    centres_input: bool = True
    conditional: ClassVar[bool] = False

    def validate(self) -> None:
        """Checks that channels divide into groups and that the levels named exist."""
        if self.width < 2 or (self.width > _GROUPS and self.width % _GROUPS):
            raise InputError(
                f"DdpmUNet.width must be in [2, {_GROUPS}] or a multiple of {_GROUPS}; "
                f"got {self.width}"
            )
        require_levels(self)

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """A network with fresh weights for images of shape (C, H, W)."""
        smallest = 2 ** len(self.multipliers)
        if len(shape) != 3 or min(shape[1:]) < smallest:
            raise InputError(
                f"DdpmUNet with {len(self.multipliers)} levels needs images (C, H, W) of at least "
                f"{smallest}x{smallest} pixels; got {shape}; give it fewer multipliers"
            )
        return UNet(shape[0], self)


class _Levels(Protocol):
    """What the specs of U-Nets say of their levels."""

    @property
    def multipliers(self) -> tuple[int, ...]: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def attention_levels(self) -> tuple[int, ...]: ...


def require_levels(spec: _Levels) -> None:
    """Raises InputError unless a U-Net has levels with blocks, and attention at some of these."""
    name, levels = type(spec).__name__, spec.attention_levels
    if not spec.multipliers or min(spec.multipliers) < 1 or spec.n_blocks < 1:
        raise InputError(
            f"{name} needs one positive multiplier or more, and n_blocks >= 1; "
            f"got multipliers={spec.multipliers}, n_blocks={spec.n_blocks}"
        )
    if len(set(levels)) < len(levels) or not set(levels) <= set(range(len(spec.multipliers))):
        raise InputError(
            f"{name}.attention_levels must be different levels in "
            f"[0, {len(spec.multipliers) - 1}]; got {levels}"
        )


class UNet(ScoreNetwork):
    """The network of `DdpmUNet`.

    Args:
        channels: channels of the image.
        spec: its architecture.
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
        n, skipped = spec.width, [spec.width]  # channels now, and of all that is kept for later
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
        """Sigma times the score at x, (B, C, H, W); sigma is ignored."""
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
    """Group norm, swish and convolution twice, plus a shortcut; starts as almost the shortcut."""

    def __init__(self, n_in: int, n_out: int, groups: int) -> None:
        super().__init__()
        self.norm1 = group_norm(n_in, groups)
        self.conv1 = conv(n_in, n_out)
        self.norm2 = group_norm(n_out, groups)
        self.conv2 = conv(n_out, n_out, gain=ALMOST_ZERO)
        self.shortcut = nn.Identity() if n_in == n_out else conv(n_in, n_out, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, (B, n_out, H, W)."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return self.shortcut(x) + h


class Attention(nn.Module):
    """Self-attention of one head over the pixels of an image, plus the input."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = group_norm(channels, groups)
        self.queries_keys_values = conv(channels, 3 * channels, size=1)
        with torch.no_grad():  # each is a layer of its own
            for weight in self.queries_keys_values.weight.chunk(3):
                nn.init.xavier_uniform_(weight)
        self.last = conv(channels, channels, size=1, gain=ALMOST_ZERO)

    def forward(self, x: Tensor) -> Tensor:
        """A feature map of the shape of x."""
        pixels = self.queries_keys_values(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1)
        h = F.scaled_dot_product_attention(*pixels.chunk(3, -1))
        return x + self.last(h.squeeze(1).transpose(1, 2).reshape(x.shape))


class Upsample(nn.Module):
    """Repeats pixels up to a given size (twice the present one, or one less) and convolves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv(channels, channels)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        """The feature map at the given size."""
        return self.conv(F.interpolate(x, size=size, mode="nearest"))


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """Group normalisation as in Ho et al."""
    return nn.GroupNorm(groups, channels, eps=1e-6)


def conv(n_in: int, n_out: int, *, size: int = 3, stride: int = 1, gain: float = 1) -> nn.Conv2d:
    """A convolution that starts as in Ho et al.: uniform by Glorot with this gain, biases zero."""
    made = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2)
    nn.init.xavier_uniform_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made

r"""NCSN++: the score network of variance-exploding diffusions, told sigma.

A U-Net of residual blocks in the manner of BigGAN (Song et al. 2021, Appendix H), which reads the
noise level: fixed random frequencies f turn log(sigma) into (sin 2 pi f log(sigma), cos ...), two
linear layers into an embedding, and each block adds a linear layer of it to its channels. Beside
the blocks,

- images change size inside a block, in both its branches, by the filter (1, 3, 3, 1) / 8 along
  either axis (FIR), which does not alias as plain striding does;
- the noisy image itself, made smaller level by level through a filtered convolution, is added to
  the features of each level on the way down ("residual" progressive input);
- every sum of two branches is divided by sqrt(2), so that variances do not grow.

The authors' network ends in a division by sigma and answers the score; networks here answer sigma
times the score, so the division is left out. Images enter as 2 x - 1 with their noise.

References:
    Song et al., Score-based generative modeling through SDEs, ICLR 2021, Appendix H.
    Tancik et al., Fourier features let networks learn high frequency functions, 2020.
    Chao et al. (2022), Appendix A.6.3: eight blocks per level.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.networks.unet import ALMOST_ZERO, Attention, conv, group_norm, require_levels

_MOST_GROUPS = 32
_FREQUENCY_SCALE = 16.0
_FILTER = (1.0, 3.0, 3.0, 1.0)
_BALANCE = 1 / math.sqrt(2)

Resize = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class NcsnPp(NetworkSpec):
    """NCSN++; the default is the network of 62.76 M parameters for CIFAR-10.

    Args:
        width: channels of the first level, a multiple of 4.
        multipliers: channels of each level in units of width; each level but the first halves the
            image.
        n_blocks: residual blocks per level on the way down (one more on the way up), at least 1;
            8 is the deep one.
        attention_levels: levels with self-attention, from 0; (1,) is 16x16 of 32x32 pixels.
        dropout: share of features dropped in training, in [0, 1).
    """

    KIND = "NcsnPp"
    VERSION: ClassVar[int] = 2  # 1 dropped by no seed

    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    n_blocks: int = 4
    attention_levels: tuple[int, ...] = (1,)
    dropout: float = 0.1

    def validate(self) -> None:
        """Checks that channels divide into groups and that the levels named exist."""
        groups = _n_groups(self.width)
        if self.width < 4 or self.width % 4 or self.width % groups:
            raise InputError(
                f"NcsnPp.width must be a multiple of 4, from 128 on of 32; got {self.width}"
            )
        require_levels(self)
        if not 0 <= self.dropout < 1:
            raise InputError(f"NcsnPp.dropout must be in [0, 1); got {self.dropout:g}")

    @property
    def conditional(self) -> bool:
        """Always."""
        return True

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """A network with fresh weights for images of shape (C, H, W)."""
        factor = 2 ** (len(self.multipliers) - 1)
        if len(shape) != 3 or any(size % factor for size in shape[1:]):
            raise InputError(
                f"NcsnPp with {len(self.multipliers)} levels needs images (C, H, W) whose sides "
                f"are multiples of {factor} pixels; got {shape}"
            )
        return _NcsnPp(shape[0], self)


def _n_groups(channels: int) -> int:
    return min(max(1, channels // 4), _MOST_GROUPS)


def _same_size(x: Tensor) -> Tensor:
    return x


class _NcsnPp(ScoreNetwork):
    def __init__(self, channels: int, spec: NcsnPp) -> None:
        super().__init__()
        widths = [spec.width * m for m in spec.multipliers]
        n_embedded = 4 * spec.width

        def block(n_in: int, n_out: int, resize: Resize = _same_size) -> _Block:
            return _Block(n_in, n_out, n_embedded, spec.dropout, resize)

        def step(n_in: int, level: int) -> nn.ModuleList:
            width, attends = widths[level], level in spec.attention_levels
            parts: list[nn.Module] = [block(n_in, width)]
            return nn.ModuleList(parts + [Attention(width, _n_groups(width))] * attends)

        self.register_buffer("frequencies", _FREQUENCY_SCALE * torch.randn(spec.width))
        self.embed = nn.Sequential(
            _linear(2 * spec.width, n_embedded), nn.SiLU(), _linear(n_embedded, n_embedded)
        )
        self.first = conv(channels, spec.width)
        self.down, self.shrink, self.inputs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        n, n_image, skipped = spec.width, channels, [spec.width]
        for level, width in enumerate(widths):
            if level > 0:
                self.shrink.append(block(n, n, downsample))
                self.inputs.append(_DownsamplingConv(n_image, n))
                n_image = n
                skipped.append(n)
            steps = nn.ModuleList()
            for _ in range(spec.n_blocks):
                steps.append(step(n, level))
                skipped.append(n := width)
            self.down.append(steps)
        self.middle = nn.ModuleList([block(n, n), Attention(n, _n_groups(n)), block(n, n)])
        self.up, self.enlarge = nn.ModuleList(), nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            steps = nn.ModuleList()
            for number in range(spec.n_blocks + 1):
                # One attention for the whole level, after its last block.
                last = number == spec.n_blocks
                inputs = n + skipped.pop()
                steps.append(step(inputs, level) if last else nn.ModuleList([block(inputs, width)]))
                n = width
            self.up.append(steps)
            if level > 0:
                self.enlarge.append(block(n, n, upsample))
        self.norm = group_norm(n, _n_groups(n))
        self.last = conv(n, channels, gain=ALMOST_ZERO)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Sigma times the score at x, (B, C, H, W)."""
        angles = 2 * math.pi * sigma.log().reshape(-1, 1) * self.frequencies
        level = self.embed(torch.cat([angles.sin(), angles.cos()], dim=1))
        image = 2 * x - 1
        skipped = [self.first(image)]
        for number, steps in enumerate(self.down):
            if number > 0:
                image = self.inputs[number - 1](image)
                image = (image + self.shrink[number - 1](skipped[-1], level)) * _BALANCE
                skipped.append(image)
            for parts in steps:
                skipped.append(_through(parts, skipped[-1], level))
        h = _through(self.middle, skipped[-1], level)
        for number, steps in enumerate(self.up):
            for parts in steps:
                h = _through(parts, torch.cat([h, skipped.pop()], 1), level)
            if number < len(self.enlarge):
                h = self.enlarge[number](h, level)
        return self.last(F.silu(self.norm(h)))


def _through(parts: nn.ModuleList, h: Tensor, level: Tensor) -> Tensor:
    """Blocks read the level; attentions add to their input."""
    for part in parts:
        h = part(h, level) if isinstance(part, _Block) else part(h) * _BALANCE
    return h


class _Block(nn.Module):
    """Group norm, swish, change of size and convolution twice, told the level, plus a shortcut."""

    def __init__(
        self, n_in: int, n_out: int, n_embedded: int, dropout: float, resize: Resize
    ) -> None:
        super().__init__()
        self.resize = resize
        self.norm1 = group_norm(n_in, _n_groups(n_in))
        self.conv1 = conv(n_in, n_out)
        self.of_level = _linear(n_embedded, n_out)
        self.norm2 = group_norm(n_out, _n_groups(n_out))
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv(n_out, n_out, gain=ALMOST_ZERO)
        changes = n_in != n_out or resize is not _same_size
        self.shortcut = conv(n_in, n_out, size=1) if changes else nn.Identity()

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """The block's output, (B, n_out, H', W')."""
        h = self.conv1(self.resize(F.silu(self.norm1(x))))
        h = h + self.of_level(F.silu(level))[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return (self.shortcut(self.resize(x)) + h) * _BALANCE


class _DownsamplingConv(nn.Module):
    """A 3 x 3 convolution of the filtered image at every second pixel."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = conv(n_in, n_out, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_out, H / 2, W / 2)."""
        smooth = _filtered(x, (2, 2), gain=1.0)
        return F.conv2d(smooth, self.conv.weight, self.conv.bias, stride=2)


def downsample(x: Tensor) -> Tensor:
    """Images (B, C, H, W) of even sides at half their size: filtered, then every second pixel."""
    return _filtered(x, (1, 1), gain=1.0)[:, :, ::2, ::2]


def upsample(x: Tensor) -> Tensor:
    """Images (B, C, H, W) at twice their size: zeros between the pixels, then filtered."""
    b, c, h, w = x.shape
    spread = x.new_zeros(b, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = x
    return _filtered(spread, (2, 1), gain=2.0)


def _filtered(x: Tensor, padding: Sequence[int], gain: float) -> Tensor:
    """The filter along both axes; zeros stand before and after, so many; gain along each axis."""
    taps = torch.tensor(_FILTER, dtype=x.dtype, device=x.device)
    taps = gain * taps / taps.sum()
    n_channels = x.shape[1]
    x = F.pad(x, (*padding, *padding))
    x = F.conv2d(x, taps.view(1, 1, 1, -1).expand(n_channels, 1, 1, -1), groups=n_channels)
    return F.conv2d(x, taps.view(1, 1, -1, 1).expand(n_channels, 1, -1, 1), groups=n_channels)


def _linear(n_in: int, n_out: int) -> nn.Linear:
    linear = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear

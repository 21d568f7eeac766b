r"""NCSN++: the conditional score network of variance-exploding diffusions.

NCSN++ is a U-Net of BigGAN residual blocks (Song et al. 2021, Appendix H) conditioned on the noise
level. Fixed random frequencies f map log(sigma) to (sin 2 pi f log(sigma), cos 2 pi f log(sigma)),
two linear layers map these features to an embedding, and each block adds a linear layer of the
embedding to its channels. Further properties:

- Features change size inside a block, in both branches, by the FIR filter (1, 3, 3, 1) / 8 along
  each axis, which avoids the aliasing of plain strides.
- On the downward path, the noisy image, reduced level by level by filtered convolutions, is added
  to the features of each level ("residual" progressive input).
- Every sum of two branches is divided by sqrt(2), so that variances do not grow.

The authors' network divides its output by sigma and returns the score. Networks in this library
return sigma times the score, so there is no division. Noisy images x enter as 2 x - 1.

References:
    Song et al., Score-based generative modeling through SDEs, ICLR 2021, Appendix H.
    Tancik et al., Fourier features let networks learn high frequency functions, 2020.
    Chao et al. (2022), Appendix A.6.3: eight blocks per level.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.networks.layers.resampling import Downsample, Smooth, Upsample
from scorelib.networks.unet import ALMOST_ZERO, Attention, conv, group_norm, require_levels

_MOST_GROUPS = 32
_FREQUENCY_SCALE = 16.0
_BALANCE = 1 / math.sqrt(2)


@dataclass(frozen=True, kw_only=True)
class NcsnPp(NetworkSpec):
    """NCSN++ for images; the defaults are the CIFAR-10 network with 62.76 M parameters.

    Args:
        width: number of channels of the first level, a multiple of 4; from 128 on, of 32.
        multipliers: number of channels of each level in units of width; each level except the first
            halves the resolution.
        n_blocks: number of residual blocks per level on the downward path, at least 1; the upward
            path has one more. The deep network has 8.
        attention_levels: indices of the levels with self-attention, from 0; level 1 has 16x16
            pixels for images of 32x32 pixels.
        dropout: probability with which a feature is dropped in training, in [0, 1).
    """

    KIND = "NcsnPp"
    VERSION: ClassVar[int] = 2  # in version 1, no seed determined the dropout

    width: int = 128
    multipliers: tuple[int, ...] = (1, 2, 2, 2)
    n_blocks: int = 4
    attention_levels: tuple[int, ...] = (1,)
    dropout: float = 0.1

    def validate(self) -> None:
        """Raises InputError if a setting is out of range or an attention level does not exist."""
        groups = _n_groups(self.width)
        if self.width < 4 or self.width % 4 or self.width % groups:
            raise InputError(
                f"NcsnPp.width must be a multiple of 4, from 128 on of 32, but got {self.width}"
            )
        require_levels(self)
        if not 0 <= self.dropout < 1:
            raise InputError(f"NcsnPp.dropout must be in [0, 1), but got {self.dropout:g}")

    @property
    def conditional(self) -> bool:
        """Whether the network takes sigma as an input: always true."""
        return True

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights for images of shape (C, H, W)."""
        factor = 2 ** (len(self.multipliers) - 1)
        if len(shape) != 3 or any(size % factor for size in shape[1:]):
            raise InputError(
                f"NcsnPp with {len(self.multipliers)} levels needs images (C, H, W) whose sides "
                f"are multiples of {factor} pixels, but got {shape}"
            )
        return _NcsnPp(shape[0], self)


def _n_groups(channels: int) -> int:
    return min(max(1, channels // 4), _MOST_GROUPS)


class _NcsnPp(ScoreNetwork):
    def __init__(self, channels: int, spec: NcsnPp) -> None:
        super().__init__()
        widths = [spec.width * m for m in spec.multipliers]
        n_embedded = 4 * spec.width

        def block(n_in: int, n_out: int, resize: nn.Module | None = None) -> _Block:
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
                self.shrink.append(block(n, n, Downsample()))
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
                # On the upward path, a level has a single attention, after its last block.
                last = number == spec.n_blocks
                inputs = n + skipped.pop()
                steps.append(step(inputs, level) if last else nn.ModuleList([block(inputs, width)]))
                n = width
            self.up.append(steps)
            if level > 0:
                self.enlarge.append(block(n, n, Upsample()))
        self.norm = group_norm(n, _n_groups(n))
        self.last = conv(n, channels, gain=ALMOST_ZERO)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x, shape (B, C, H, W)."""
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
    """Returns h after all parts: blocks, which take the level, and attentions, which do not."""
    for part in parts:
        h = part(h, level) if isinstance(part, _Block) else part(h) * _BALANCE
    return h


class _Block(nn.Module):
    """Residual block conditioned on the noise level, with an optional change of size.

    Both branches resize their features. The main branch has group norm and swish before each of two
    convolutions and adds a linear layer of the noise embedding after the first one.
    """

    def __init__(
        self, n_in: int, n_out: int, n_embedded: int, dropout: float, resize: nn.Module | None
    ) -> None:
        super().__init__()
        self.resize = resize or nn.Identity()
        self.norm1 = group_norm(n_in, _n_groups(n_in))
        self.conv1 = conv(n_in, n_out)
        self.of_level = _linear(n_embedded, n_out)
        self.norm2 = group_norm(n_out, _n_groups(n_out))
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv(n_out, n_out, gain=ALMOST_ZERO)
        changes = n_in != n_out or resize is not None
        self.shortcut = conv(n_in, n_out, size=1) if changes else nn.Identity()

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Returns the block's output, shape (B, n_out, H', W').

        Args:
            x: feature maps, shape (B, n_in, H, W).
            level: embedding of the noise level, shape (B, n_embedded) or (1, n_embedded).
        """
        h = self.conv1(self.resize(F.silu(self.norm1(x))))
        h = h + self.of_level(F.silu(level))[:, :, None, None]
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return (self.shortcut(self.resize(x)) + h) * _BALANCE


class _DownsamplingConv(nn.Module):
    """A 3 x 3 convolution with stride 2 of the filtered image."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.smooth = Smooth()
        self.conv = conv(n_in, n_out, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Returns feature maps, (B, n_out, H / 2, W / 2), of images, (B, n_in, H, W)."""
        return F.conv2d(self.smooth(x), self.conv.weight, self.conv.bias, stride=2)


def _linear(n_in: int, n_out: int) -> nn.Linear:
    linear = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear

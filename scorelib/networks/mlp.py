"""A residual multilayer perceptron for vectors and small images.

At high noise, x is approximately sigma * noise and the target output is approximately -x / rms(x).
At low noise, x is close to the data and the target is its small displacement from the data,
magnified by 1/sigma. Three design choices let one network handle both regimes:

- The input is scaled to u = x / scale with scale = sqrt(1 + mean(x^2)). u is roughly x at low noise
  and of unit size at any high noise. The scaling is smooth everywhere, including the origin, so it
  does not distort the slope of the output at low noise.
- Features of log(scale) restore the information that the scaling removes. An unconditional network
  infers the noise level from these features. A conditional network also gets the same features of
  log(sigma). The features enter every block, so that the level is available at every depth.
- The output is the last linear layer minus a gain times u. The gain depends on the level and is
  initially one. The last layers of the blocks and of the network are initially zero. Training thus
  starts from the output -u, which is correct at high noise, and learns the remaining part.

References:
    He et al. 2016, Identity mappings in deep residual networks (pre-activation).
    Tancik et al. 2020, Fourier features let networks learn high frequency functions.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.networks.base import NetworkSpec, ScoreNetwork

_N_FREQUENCIES = 4


@dataclass(frozen=True, kw_only=True)
class ResidualMlp(NetworkSpec):
    """Residual multilayer perceptron for examples of any shape, which are flattened.

    Args:
        width: number of hidden units, at least 2.
        depth: number of residual blocks, at least 1.
        conditional: whether the network takes sigma as an input.
    """

    KIND = "ResidualMlp"

    width: int = 256
    depth: int = 4
    conditional: bool = False

    def validate(self) -> None:
        """Raises InputError if `width` is below 2 or `depth` below 1."""
        if self.width < 2 or self.depth < 1:
            raise InputError(
                "ResidualMlp needs width >= 2 and depth >= 1, "
                f"but got width={self.width}, depth={self.depth}"
            )

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights for examples of any shape."""
        return Mlp(shape, self.width, self.depth, conditional=self.conditional)


class Mlp(ScoreNetwork):
    """The network of `ResidualMlp`.

    Args:
        shape: shape of one example. Images (three axes) are assumed to lie in [0, 1], other data
            around zero.
        width: number of hidden units, at least 2.
        depth: number of residual blocks, at least 1.
        conditional: whether the network takes sigma as an input.
    """

    def __init__(
        self, shape: tuple[int, ...], width: int, depth: int, *, conditional: bool
    ) -> None:
        super().__init__()
        size = math.prod(shape)
        self.conditional = conditional
        self.is_image = len(shape) == 3
        self.first = nn.Linear(size, width)
        n_features = (2 if conditional else 1) * (1 + 2 * _N_FREQUENCIES)
        self.level = nn.Sequential(nn.Linear(n_features, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.last = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), _zeroed(nn.Linear(width, size)))
        self.gain = _zeroed(nn.Linear(width, 1))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x; see `ScoreNetwork.forward`.

        An unconditional network ignores sigma.
        """
        centred = (2 * x - 1 if self.is_image else x).flatten(1)
        scale = (1 + centred.square().mean(1, keepdim=True)).sqrt()
        u = centred / scale
        features = _features(scale.log())
        if self.conditional:
            log_sigma = sigma.log().reshape(-1, 1).expand(len(x), 1)
            features = torch.cat([features, _features(log_sigma)], 1)
        level = F.silu(self.level(features))
        h = self.first(u)
        for block in self.blocks:
            h = block(h, level)
        return (self.last(h) - (1 + self.gain(level)) * u).reshape(x.shape)


class Block(nn.Module):
    """Residual block h + W2 silu(W1 silu(norm(h)) + W3 level), up to biases.

    The block is the identity at initialisation.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, width)
        self.level = nn.Linear(width, width, bias=False)
        self.linear2 = _zeroed(nn.Linear(width, width))

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        """Returns the next hidden state, shape (B, width).

        Args:
            h: hidden state, shape (B, width).
            level: embedding of the noise level, shape (B, width).
        """
        update = self.linear1(F.silu(self.norm(h))) + self.level(level)
        return h + self.linear2(F.silu(update))


def _features(t: Tensor) -> Tensor:
    """Returns t, shape (B, 1), with sines and cosines of 1/8 to 1 cycles per unit, shape (B, 9).

    Low frequencies keep the output smooth where x is close to the data.
    """
    cycles = 2.0 ** -torch.arange(_N_FREQUENCIES, device=t.device, dtype=t.dtype)
    angles = 2 * math.pi * t * cycles
    return torch.cat([t, angles.sin(), angles.cos()], 1)


def _zeroed(linear: nn.Linear) -> nn.Linear:
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear

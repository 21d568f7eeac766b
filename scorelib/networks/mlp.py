"""A residual perceptron for vectors and images of a few pixels.

At a high noise level x is almost sigma * noise and the wanted output almost -x / rms(x); at a low
one x is almost data and the output is the small distance from it, magnified by 1/sigma. Three
things make one network good at both:

- The input is brought to unit scale, u = x / scale with scale = sqrt(1 + mean(x^2)): about x
  itself at low noise, and of unit size however high the noise. It is smooth everywhere, the
  origin too, so the output's slope at low noise is the data's, not the scaling's.
- What the scaling takes away is given back as features of log(scale): from these an unconditional
  network reads the noise level. A conditional network gets the same features of log(sigma) too.
  The features enter every block, so that the level is not lost on the way.
- The output is the last linear layer minus a gain times u. The gain depends on the level and
  starts at one, the last layers of the blocks and of the network at zero: training starts from
  -u, which is right at high noise, and has only the rest to learn.

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
    """Residual perceptron for any shape: everything is flattened.

    Args:
        width: hidden units, at least 2.
        depth: residual blocks, at least 1.
        conditional: whether the network reads sigma.
    """

    KIND = "ResidualMlp"

    width: int = 256
    depth: int = 4
    conditional: bool = False

    def validate(self) -> None:
        """Checks that there is something to train."""
        if self.width < 2 or self.depth < 1:
            raise InputError(
                "ResidualMlp needs width >= 2 and depth >= 1; "
                f"got width={self.width}, depth={self.depth}"
            )

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """A network with fresh weights for examples of any shape."""
        return Mlp(shape, self.width, self.depth, conditional=self.conditional)


class Mlp(ScoreNetwork):
    """The network of `ResidualMlp`.

    Args:
        shape: shape of one example; images (three axes) are taken to lie in [0, 1], vectors around
            zero.
        width: hidden units.
        depth: residual blocks.
        conditional: whether sigma is read.
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
        """Sigma times the score at x, of the shape of x; sigma is read if conditional."""
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
    """h + W2 silu(W1 silu(norm(h)) + W3 level), biases aside: starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, width)
        self.level = nn.Linear(width, width, bias=False)
        self.linear2 = _zeroed(nn.Linear(width, width))

    def forward(self, h: Tensor, level: Tensor) -> Tensor:
        """The next hidden state, (B, width), given the embedded noise level, (B, width)."""
        update = self.linear1(F.silu(self.norm(h))) + self.level(level)
        return h + self.linear2(F.silu(update))


def _features(t: Tensor) -> Tensor:
    """The logarithm t, (B, 1), with its waves of 1/8 to 1 cycles per unit, (B, 9).

    The waves are slow on purpose: fast ones would make the output rough where x is close to data.
    """
    cycles = 2.0 ** -torch.arange(_N_FREQUENCIES, device=t.device, dtype=t.dtype)
    angles = 2 * math.pi * t * cycles
    return torch.cat([t, angles.sin(), angles.cos()], 1)


def _zeroed(linear: nn.Linear) -> nn.Linear:
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear

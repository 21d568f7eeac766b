"""NCSN: the RefineNet of `scorelib.networks.ncsnv2` told the number of the noise level.

The first noise conditional score network has one set of convolutions for all levels and tells them
apart in its normalisations: each of the L levels has scales and shifts of its own
(`scorelib.networks.instance_norm`) in every residual block, within the refinements (where NCSNv2
has none: before each convolution of a unit, before the fusing, before the pooling of the context)
and before the last convolution. The context is pooled by means, not maxima.

Samplers and losses speak of sigma, not of numbers of levels, so the spec holds the schedule, and a
sigma stands for the level it is nearest to. On the levels themselves, which is all that training
and annealed sampling ask for, that is exact.

The body's output is the score, as published; the network returns sigma times it (see
`scorelib.networks.base`). The loss is then the published one, whose weight is sigma^2.

References:
    Song and Ermon 2019, Generative modeling by estimating gradients of the data distribution,
    https://arxiv.org/abs/1907.05600, Appendix A (conditional InstanceNorm++, RefineNet). Widths:
    128 for CIFAR-10, 64 for MNIST. On some points the text is silent, such as that the context is
    normalised before its pooling; these are as in the authors' program.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from scorelib.networks.base import ScoreNetwork
from scorelib.networks.instance_norm import ConditionalInstanceNormPlus
from scorelib.networks.ncsnv2 import Ncsnv2, Parts, RefineNet
from scorelib.schedules import GeometricSchedule, Schedule

PUBLISHED_LEVELS = GeometricSchedule(sigma_1=1.0, sigma_L=0.01, n_levels=10)
"""The schedule of the paper, on every data set."""


@dataclass(frozen=True, kw_only=True)
class Ncsn(Ncsnv2):
    """NCSN for images of any size from 8x8; the default is the network of CIFAR-10.

    Args:
        schedule: the levels it is trained at.
    """

    KIND = "Ncsn"

    schedule: Schedule = PUBLISHED_LEVELS
    conditional: ClassVar[bool] = True

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """A network with fresh weights for images of shape (C, H, W)."""
        return ConditionalRefineNet(shape[0], self.widths(shape), self.schedule.sigmas)


class ConditionalRefineNet(RefineNet):
    """The network of `Ncsn`.

    Args:
        channels: channels of the image.
        widths: channels of each stage, from the full resolution on.
        sigmas: the levels, strictly decreasing.
    """

    _boundaries: Tensor

    def __init__(self, channels: int, widths: tuple[int, ...], sigmas: tuple[float, ...]) -> None:
        norm = functools.partial(ConditionalInstanceNormPlus, n_levels=len(sigmas))
        parts = Parts(norm=norm, refinement_norm=norm, pool=F.avg_pool2d)
        super().__init__(channels, widths, parts)
        # Halfway between neighbours, from the lowest up. Not among the weights: the spec has them.
        boundaries = [(a + b) / 2 for a, b in itertools.pairwise(reversed(sigmas))]
        self.register_buffer("_boundaries", torch.tensor(boundaries), persistent=False)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Sigma times the score at x, (B, C, H, W)."""
        return sigma.view(-1, 1, 1, 1) * self.refined(x, self.level(sigma))

    def level(self, sigma: Tensor) -> Tensor:
        """Number of the nearest level, from 0 for the lowest; int64 of sigma's shape."""
        return torch.bucketize(sigma, self._boundaries)

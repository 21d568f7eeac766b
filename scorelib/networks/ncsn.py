"""NCSN: the RefineNet of `scorelib.networks.ncsnv2`, conditioned on the index of the noise level.

The first noise conditional score network shares its convolutions between all noise levels and
conditions its normalisations on the level. Each of the L levels has separate scales and shifts
(`scorelib.networks.layers.instance_norm`) in every residual block, within the refinements and
before the last convolution. Within the refinements, where NCSNv2 has no normalisation, the
normalisations stand before each convolution of a unit, before the fusing and before the pooling of
the context.
The context uses average pooling instead of max pooling.

Samplers and losses pass sigma, not the index of a level. The spec therefore contains the schedule,
and the network maps sigma to the nearest level. This is exact for the levels of the schedule, the
only ones used in training and annealed sampling.

The output of the RefineNet is the score, as published, and the network returns sigma times this
score (see `scorelib.networks.base`). The loss is then the published one, with weight sigma^2.

References:
    Song and Ermon 2019, Generative modeling by estimating gradients of the data distribution,
    https://arxiv.org/abs/1907.05600, Appendix A (conditional InstanceNorm++, RefineNet). Widths:
    128 for CIFAR-10, 64 for MNIST. Details that the text does not give, such as the normalisation
    of the context before its pooling, are as in the authors' code.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from scorelib.networks.base import ScoreNetwork
from scorelib.networks.layers.instance_norm import ConditionalInstanceNormPlus
from scorelib.networks.ncsnv2 import Ncsnv2, Parts, RefineNet
from scorelib.schedules import GeometricSchedule, Schedule

PUBLISHED_LEVELS = GeometricSchedule(sigma_1=1.0, sigma_L=0.01, n_levels=10)
"""Noise schedule of the paper for all data sets."""


@dataclass(frozen=True, kw_only=True)
class Ncsn(Ncsnv2):
    """NCSN for images of at least 8x8 pixels; the defaults are the CIFAR-10 network.

    Args:
        schedule: noise levels that the network is trained at.
    """

    KIND = "Ncsn"

    schedule: Schedule = PUBLISHED_LEVELS
    conditional: ClassVar[bool] = True

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights for images of shape (C, H, W)."""
        return ConditionalRefineNet(shape[0], self.widths(shape), self.schedule.sigmas)


class ConditionalRefineNet(RefineNet):
    """The network of `Ncsn`.

    Args:
        channels: number of channels of an image.
        widths: number of channels of each stage, starting at full resolution.
        sigmas: noise levels, data units, strictly decreasing.
    """

    _boundaries: Tensor

    def __init__(self, channels: int, widths: tuple[int, ...], sigmas: tuple[float, ...]) -> None:
        norm = functools.partial(ConditionalInstanceNormPlus, n_levels=len(sigmas))
        parts = Parts(norm=norm, refinement_norm=norm, pool=F.avg_pool2d)
        super().__init__(channels, widths, parts)
        # Midpoints of neighbouring levels, ascending. They are not stored with the weights because
        # the spec determines them.
        boundaries = [(a + b) / 2 for a, b in itertools.pairwise(reversed(sigmas))]
        self.register_buffer("_boundaries", torch.tensor(boundaries), persistent=False)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x, shape (B, C, H, W)."""
        return sigma.view(-1, 1, 1, 1) * self.refined(x, self.level(sigma))

    def level(self, sigma: Tensor) -> Tensor:
        """Returns the index of the nearest level, 0 for the lowest; int64, shape of sigma."""
        return torch.bucketize(sigma, self._boundaries)

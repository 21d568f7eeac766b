"""Score networks and the discriminator, each built from its spec.

The contract of score networks is in `scorelib.networks.base`.
"""

from scorelib.networks.base import NetworkSpec, ScoreNetwork, multiply_adds, n_parameters
from scorelib.networks.discriminator import BigGanDiscriminator, Discriminator
from scorelib.networks.mlp import ResidualMlp
from scorelib.networks.ncsnv2 import Ncsnv2
from scorelib.networks.unet import DdpmUNet

__all__ = [
    "BigGanDiscriminator",
    "DdpmUNet",
    "Discriminator",
    "Ncsnv2",
    "NetworkSpec",
    "ResidualMlp",
    "ScoreNetwork",
    "multiply_adds",
    "n_parameters",
]

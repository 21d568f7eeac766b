"""Score networks, each built from its spec; the contract is in `scorelib.networks.base`."""

from scorelib.networks.base import NetworkSpec, ScoreNetwork, multiply_adds, n_parameters
from scorelib.networks.mlp import ResidualMlp
from scorelib.networks.ncsnv2 import Ncsnv2

__all__ = [
    "Ncsnv2",
    "NetworkSpec",
    "ResidualMlp",
    "ScoreNetwork",
    "multiply_adds",
    "n_parameters",
]

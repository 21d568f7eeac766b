"""Score networks, classifiers of noisy data and the discriminator, each built from a spec.

`scorelib.networks.base` defines the interface of score networks and
`scorelib.networks.noise_classifier` the interface of classifiers.
"""

from scorelib.networks.adapted import UNIT_RANGE, Adapted, Answer
from scorelib.networks.base import NetworkSpec, ScoreFunction, ScoreNetwork
from scorelib.networks.diffusers_unet import DiffusersUnet, Prediction, Times, VpTimes
from scorelib.networks.discriminator import BigGanDiscriminator, Discriminator
from scorelib.networks.mlp import ResidualMlp
from scorelib.networks.ncsn import Ncsn
from scorelib.networks.ncsnpp import NcsnPp
from scorelib.networks.ncsnv2 import Ncsnv2
from scorelib.networks.noise_classifier import NoiseClassifier, NoiseClassifierSpec
from scorelib.networks.plane_mlp import PlaneMlp, PlaneMlpClassifier
from scorelib.networks.resnet import ResNetClassifier
from scorelib.networks.size import multiply_adds, n_parameters, size_of
from scorelib.networks.unet import DdpmUNet

__all__ = [
    "UNIT_RANGE",
    "Adapted",
    "Answer",
    "BigGanDiscriminator",
    "DdpmUNet",
    "DiffusersUnet",
    "Discriminator",
    "Ncsn",
    "NcsnPp",
    "Ncsnv2",
    "NetworkSpec",
    "NoiseClassifier",
    "NoiseClassifierSpec",
    "PlaneMlp",
    "PlaneMlpClassifier",
    "Prediction",
    "ResNetClassifier",
    "ResidualMlp",
    "ScoreFunction",
    "ScoreNetwork",
    "Times",
    "VpTimes",
    "multiply_adds",
    "n_parameters",
    "size_of",
]

"""Training objectives (losses) of score networks and of classifiers of noisy data."""

from scorelib.losses.adversarial import DISCRIMINATOR_ADAM, SCORE_ADAM, Adversarial, GanLoss
from scorelib.losses.dlsm import CIFAR_DLSM, MOONS_DLSM, ClassifierObjective, CrossEntropy, Dlsm
from scorelib.losses.dsm import Dsm, dsm_from_output, dsm_loss, perturbed

__all__ = [
    "CIFAR_DLSM",
    "DISCRIMINATOR_ADAM",
    "MOONS_DLSM",
    "SCORE_ADAM",
    "Adversarial",
    "ClassifierObjective",
    "CrossEntropy",
    "Dlsm",
    "Dsm",
    "GanLoss",
    "dsm_from_output",
    "dsm_loss",
    "perturbed",
]

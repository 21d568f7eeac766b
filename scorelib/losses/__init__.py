"""Training objectives of score networks."""

from scorelib.losses.adversarial import DISCRIMINATOR_ADAM, SCORE_ADAM, Adversarial, GanLoss
from scorelib.losses.dsm import Dsm, dsm_loss, dsm_of, perturbed

__all__ = [
    "DISCRIMINATOR_ADAM",
    "SCORE_ADAM",
    "Adversarial",
    "Dsm",
    "GanLoss",
    "dsm_loss",
    "dsm_of",
    "perturbed",
]

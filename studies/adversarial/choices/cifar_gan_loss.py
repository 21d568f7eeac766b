"""Appendix B of "Adversarial score matching and improved sampling": the GAN loss.

Question: which GAN loss gives the best images in adversarial score matching: LSGAN, GAN or hinge,
each plain or relativistic (paired, average), saturating or not?

Source: https://arxiv.org/abs/2009.05475, Appendix B: LSGAN was best, and saturating LSGAN equally
good. For the layout of the study see `choice_study`, for the losses `scorelib.losses.adversarial`.

Command: ``python -m studies.run cifar_gan_loss [--scale paper]``

Saturating variants are tried for the three plain losses only. The authors' code gives saturating
LSGAN the opposite sign; here the sign follows the definition of a saturating loss.
"""

from scorelib.losses import GanLoss
from studies.adversarial.choices import choice_study
from studies.adversarial.choices.choice_study import OBJECTIVE, Choice, ChoiceSettings, build
from tuning.spaces import OneOf
from tuning.study import Study

EXHIBIT = Choice(
    name="cifar_gan_loss",
    title="GAN loss",
    question="Which GAN loss makes the best images in adversarial score matching?",
)
LOSSES = {
    "LSGAN": GanLoss(),
    "GAN": GanLoss(kind="gan"),
    "Hinge": GanLoss(kind="hinge"),
    "LSGAN sat": GanLoss(saturating=True),
    "GAN sat": GanLoss(kind="gan", saturating=True),
    "Hinge sat": GanLoss(kind="hinge", saturating=True),
    "RpLSGAN": GanLoss(relativistic="paired"),
    "RpGAN": GanLoss(kind="gan", relativistic="paired"),
    "RpHinge": GanLoss(kind="hinge", relativistic="paired"),
    "RaLSGAN": GanLoss(relativistic="average"),
    "RaGAN": GanLoss(kind="gan", relativistic="average"),
    "RaHinge": GanLoss(kind="hinge", relativistic="average"),
}
LOSS = OneOf(
    name="loss",
    path=f"{OBJECTIVE}.gan_loss",
    values=tuple(LOSSES.values()),
    labels=tuple(LOSSES),
)


def demo() -> ChoiceSettings:
    """Returns settings for digits: all twelve losses first, then the best four for longer."""
    return choice_study.demo(keep=(len(LOSSES), 4))


def paper() -> ChoiceSettings:
    """Returns settings with the paper's data and network: all twelve losses on the first rung."""
    return choice_study.paper(keep=(len(LOSSES), 6, 3))


def study(scale: str, at: ChoiceSettings) -> Study:
    """Returns the study: a search over the GAN losses."""
    return build(EXHIBIT, scale, at, [LOSS], {"loss": "LSGAN"})

"""Appendix B of "Adversarial score matching and improved sampling": Adam's betas.

Question: which pairs (beta1, beta2) of the discriminator and of the score network give the best
images? The search covers beta1 in {.9, .5, 0, -.5} and beta2 in {.9, .999} for both networks: 64
combinations.

Source: https://arxiv.org/abs/2009.05475, Appendix B, which chooses (-.5, .9) for the discriminator
and (0, .9) for the score network. For the layout of the study see `choice_study`, for negative
beta1 `scorelib.optim`.

Command: ``python -m studies.run cifar_adam_betas [--scale paper]``
"""

from studies.adversarial.choices import choice_study
from studies.adversarial.choices.choice_study import (
    OBJECTIVE,
    OPTIMIZER,
    Choice,
    ChoiceSettings,
    build,
)
from tuning.spaces import OneOf
from tuning.study import Study

EXHIBIT = Choice(
    name="cifar_adam_betas",
    title="Adam's betas",
    question="Which Adam betas for discriminator and score network make the best images?",
)
_DISCRIMINATOR = f"{OBJECTIVE}.discriminator_optimizer"
BETA1, BETA2 = (0.9, 0.5, 0.0, -0.5), (0.9, 0.999)
PARAMETERS = (
    OneOf(name="beta1 of D", path=f"{_DISCRIMINATOR}.beta1", values=BETA1),
    OneOf(name="beta2 of D", path=f"{_DISCRIMINATOR}.beta2", values=BETA2),
    OneOf(name="beta1 of score", path=f"{OPTIMIZER}.beta1", values=BETA1),
    OneOf(name="beta2 of score", path=f"{OPTIMIZER}.beta2", values=BETA2),
)
PAPERS_CHOICE = {
    "beta1 of D": -0.5, "beta2 of D": 0.9, "beta1 of score": 0.0, "beta2 of score": 0.9,
}  # fmt: skip


def demo() -> ChoiceSettings:
    """Returns settings for digits: 16 of 64 combinations first, then the best four for longer."""
    return choice_study.demo()


def paper() -> ChoiceSettings:
    """Returns settings with the paper's data and network."""
    return choice_study.paper()


def study(scale: str, at: ChoiceSettings) -> Study:
    """Returns the study: a search over both pairs of betas."""
    return build(EXHIBIT, scale, at, PARAMETERS, PAPERS_CHOICE)

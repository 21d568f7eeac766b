"""Appendix B of "Adversarial score matching and improved sampling": lambda and n_D.

What is asked: how much should denoising score matching weigh against the GAN term (lambda of Eq.
5), and does a second discriminator step per score step help?

Source: https://arxiv.org/abs/2009.05475, Appendix B: lambda = 1, n_D = 2 on CIFAR-10 and 1 on
LSUN-churches. (The authors' code has n_D = 1 for NCSNv2.) The form of the study:
`choice_study`. lambda weighs a sum over pixels against a mean over images, so equal values
mean less on smaller images.

Command: ``python -m studies.run cifar_lambda_nd [--scale paper]``
"""

from studies.adversarial.choices import choice_study
from studies.adversarial.choices.choice_study import OBJECTIVE, Choice, ChoiceSettings, build
from tuning.spaces import LogUniform, OneOf
from tuning.study import Study

EXHIBIT = Choice(
    name="cifar_lambda_nd",
    title="lambda and n_D",
    question=(
        "How much should denoising score matching weigh against the GAN term, and does a "
        "second discriminator step help?"
    ),
)
LAMBDA = LogUniform(name="lambda", path=f"{OBJECTIVE}.lambda_", low=0.01, high=100.0)
N_D = OneOf(name="n_D", path=f"{OBJECTIVE}.n_d", values=(1, 2))


def demo() -> ChoiceSettings:
    """Digits; 14 pairs briefly, the best four for longer."""
    return choice_study.demo(keep=(14, 4))


def paper() -> ChoiceSettings:
    """The paper's data and network."""
    return choice_study.paper()


def study(scale: str, at: ChoiceSettings) -> Study:
    """The study with given settings: a search over lambda and n_D."""
    return build(EXHIBIT, scale, at, [LAMBDA, N_D], {"lambda": 1.0, "n_D": 2})

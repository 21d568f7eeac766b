"""Appendix B of "Adversarial score matching and improved sampling": lambda and n_D.

Question: how large should lambda be, the weight of the denoising score matching term beside the GAN
term (Eq. 5)? And does a second discriminator step help? n_D is the number of discriminator steps
per step of the score network.

Source: https://arxiv.org/abs/2009.05475, Appendix B, which chooses lambda = 1, and n_D = 2 on
CIFAR-10 and n_D = 1 on LSUN-churches. (The authors' code has n_D = 1 for NCSNv2.) For the layout of
the study see `choice_study`. lambda multiplies a sum over pixels, while the GAN term is a mean over
images: the same lambda therefore has a smaller effect on smaller images.

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
    """Returns settings for digits: 14 pairs (lambda, n_D), of which the best four train longer."""
    return choice_study.demo(keep=(14, 4))


def paper() -> ChoiceSettings:
    """Returns settings with the paper's data and network."""
    return choice_study.paper()


def study(scale: str, at: ChoiceSettings) -> Study:
    """Returns the study: a search over lambda and n_D."""
    return build(EXHIBIT, scale, at, [LAMBDA, N_D], {"lambda": 1.0, "n_D": 2})

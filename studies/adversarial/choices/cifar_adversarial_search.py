"""Appendix B of "Adversarial score matching and improved sampling": all choices in one search.

Question: which distance can be reached if the EMA decay, both pairs of Adam's betas, lambda, n_D,
the GAN loss and the sampling step size are searched together, and which of these parameters matter?

Source: https://arxiv.org/abs/2009.05475, Appendix B, which made these choices one after another.
For the layout of the study see `choice_study`. One search by TPE covers all parameters, with
successive halving over iterations and images; a longer training continues the shorter one from the
store. The importance of each parameter (fANOVA) and the savings of successive halving are printed
below the table. The step size (CAS, one step per level) is searched between r = 1.05 and r = 4 (see
`initial_step_sizes`): trials differ so much that a search over the whole admissible interval is not
worth its cost.

Command: ``python -m studies.run cifar_adversarial_search [--scale paper]``
"""

from scorelib.schedules import as_geometric
from scorelib.step_size import schedule_step
from studies.adversarial.choices import choice_study
from studies.adversarial.choices.choice_study import Choice, ChoiceSettings, build
from studies.adversarial.choices.cifar_adam_betas import PAPERS_CHOICE as PAPERS_BETAS
from studies.adversarial.choices.cifar_adam_betas import PARAMETERS as BETAS
from studies.adversarial.choices.cifar_gan_loss import LOSS
from studies.adversarial.choices.cifar_lambda_nd import LAMBDA, N_D
from tuning.spaces import EPSILON, LogUniform, OneOf
from tuning.study import Study

EXHIBIT = Choice(
    name="cifar_adversarial_search",
    title="everything at once",
    question="What do all hyperparameters reach together, and which of them matter?",
)
LOWEST_R, HIGHEST_R = 1.05, 4.0


def demo() -> ChoiceSettings:
    """Returns settings for digits: 20 trials first, then seven for longer, and two to the end."""
    return choice_study.demo().replace(
        iterations=(400, 1000, 2000), images=(500, 1000, 2000), keep=(20, 7, 2)
    )


def paper() -> ChoiceSettings:
    """Returns settings with the paper's data and network: 64 trials on the first rung."""
    return choice_study.paper(keep=(64, 8, 3))


def study(scale: str, at: ChoiceSettings) -> Study:
    """Returns the study: one search over all hyperparameters."""
    schedule = as_geometric(at.train.schedule, "a range in r")
    unit = schedule_step(schedule.sigma_L, schedule.gamma, 1)
    _, highest = at.sampler.interval(schedule)
    epsilon = LogUniform(
        name=EPSILON,
        path="sample.sampler.epsilon",
        low=LOWEST_R * unit,
        high=min(HIGHEST_R * unit, 0.99 * highest),  # coarse schedules end below r = 4
    )
    ema = OneOf(name="ema", path="sample.ema", values=at.train.ema)
    others = {"lambda": 1.0, "n_D": 2, "ema": at.ema, EPSILON: at.sampler.epsilon}
    papers_choice = PAPERS_BETAS | {"loss": "LSGAN"} | others
    return build(EXHIBIT, scale, at, [*BETAS, LOSS, LAMBDA, N_D, ema, epsilon], papers_choice)

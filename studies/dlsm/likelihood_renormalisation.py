"""Figure A1 and Proposition 2 of "Denoising likelihood score matching": what scaling does not do.

What is asked: guidance by alpha times a classifier's score is said to sample with the likelihood
p(y|x)^alpha / Z. Does it? Z depends on x unless alpha is 1 (Proposition 2), and its score is what
scaling leaves out: scaling follows another density, exactly that of p(y|x)^alpha p(x).

Source: https://arxiv.org/abs/2203.14206, Proposition 2, Eqs. A1 and A2, Figure A1. Exact at either
scale: `scorelib.exact.renormalisation`. The paper shows densities only and no numbers; the centres,
the variance and the powers of its figure are not known to us: ours are -1 and 1, 1, and .2, 1, 3,
10 (10 is the scale that the paper compares with). The proof's own example stands beside it: a
normal likelihood to the power has an integral that depends on its standard deviation, so where that
depends on x, Z does.

Expected: without a power (alpha = 1) both densities are the normal one of std 1, and the scores are
equal. Above, the density meant is narrower and ends where the classes meet; what scaling follows is
farther away from the other class, and narrower still. Below, both are wider.

Command: ``python -m studies.run likelihood_renormalisation``
"""

from dataclasses import dataclass

from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from tuning.stages import Renormalisation
from tuning.stages.renormalisation import z_normal
from tuning.study import Cell, Study

EXHIBIT = Exhibit(
    name="likelihood_renormalisation",
    paper="dlsm",
    label="Figure A1",
    title="Two normal classes under a power of their likelihood",
    question="Does scaling a likelihood score sample with a power of the likelihood?",
    figures=("renormalisation",),
    notes=(
        "of class 1; the other is its mirror image. The figure itself shows no numbers",
        "Proposition 2: unless alpha = 1, Z of a normal likelihood changes with its standard "
        "deviation, and so with x where that does",
    ),
)
COLUMNS = {
    "meant: mean, std": ("mean", "std"),
    "scaling follows: mean, std": ("scaled_mean", "scaled_std"),
    "distance of the scores": ("score_gap",),
    "divergence, nats": ("kl",),
    "Z where the classes meet": ("z_between",),
}


@dataclass(frozen=True, kw_only=True)
class RenormalisationSettings(StudySettings):
    """The example's settings.

    Attributes:
        alphas: powers of the likelihood, a row each.
        centres: of the two classes.
        std: of both.
        normal_stds: standard deviations of the normal likelihoods of Proposition 2.
    """

    KIND = "RenormalisationSettings"

    alphas: tuple[float, ...] = (0.2, 1.0, 3.0, 10.0)
    centres: tuple[float, ...] = (-1.0, 1.0)
    std: float = 1.0
    normal_stds: tuple[float, ...] = (0.5, 1.0, 2.0)


def paper() -> RenormalisationSettings:
    """The example's, exact at either scale."""
    return RenormalisationSettings()


demo = paper


def study(scale: str, at: RenormalisationSettings) -> Study:
    """The study with given settings: a row per power."""
    jobs = [
        Renormalisation(alpha=a, centres=at.centres, std=at.std, normal_stds=at.normal_stds)
        for a in at.alphas
    ]
    columns = COLUMNS | {
        f"Z of a normal likelihood, std {std:g}": (z_normal(std),) for std in at.normal_stds
    }
    return EXHIBIT.study(
        scale,
        at,
        (
            Cell(row=f"alpha = {job.alpha:g}", column=column, job=job, quantities=quantities)
            for job in jobs
            for column, quantities in columns.items()
        ),
    )

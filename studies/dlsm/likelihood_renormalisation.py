"""Figure A1 and Proposition 2 of "Denoising likelihood score matching": limits of scaling.

Question: does guidance by alpha times a classifier's score sample with the likelihood
p(y|x)^alpha / Z, as is often said? Z depends on x unless alpha is 1 (Proposition 2). Scaling leaves
out the score of Z and therefore follows another density, proportional to p(y|x)^alpha p(x).

Source: https://arxiv.org/abs/2203.14206, Proposition 2, Eqs. A1 and A2, Figure A1. The results are
exact at both scales: `scorelib.exact.renormalisation`. The paper shows densities only and no
numbers. The centres, the variance and the powers of the paper's figure are not known to us; here
the centres are -1 and 1, the variance is 1, and the powers are .2, 1, 3 and 10 (the paper compares
with a scale of 10). The table also shows the example from the proof: the integral of a power of a
normal likelihood depends on the standard deviation of the likelihood. If that standard deviation
depends on x, so does Z.

Expected: at alpha = 1 both densities are the normal density of standard deviation 1, and the scores
are equal. For alpha > 1 the intended density is narrower and ends where the classes meet; the
density that scaling follows is farther away from the other class, and still narrower. For alpha < 1
both densities are wider.

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
        "numbers are for class 1; class 2 is the mirror image. The paper's figure has no numbers",
        "Proposition 2: unless alpha = 1, Z of a normal likelihood depends on the standard "
        "deviation, and so on x if the standard deviation depends on x",
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
    """Settings of the example.

    Attributes:
        alphas: powers of the likelihood, one row each, > 0.
        centres: centres of the two classes, different.
        std: standard deviation of both classes, > 0.
        normal_stds: standard deviations of the normal likelihoods of Proposition 2, one column
            each, > 0.
    """

    KIND = "RenormalisationSettings"

    alphas: tuple[float, ...] = (0.2, 1.0, 3.0, 10.0)
    centres: tuple[float, ...] = (-1.0, 1.0)
    std: float = 1.0
    normal_stds: tuple[float, ...] = (0.5, 1.0, 2.0)


def paper() -> RenormalisationSettings:
    """Returns the settings of the example, exact at both scales."""
    return RenormalisationSettings()


demo = paper


def study(scale: str, at: RenormalisationSettings) -> Study:
    """Returns the study: one row per power of the likelihood."""
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

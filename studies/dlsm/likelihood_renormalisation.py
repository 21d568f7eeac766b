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

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from studies.common.claims import between
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from tuning.cells import Cell
from tuning.claims import Claim, Pair, Place
from tuning.stages import Renormalisation
from tuning.stages.renormalisation import z_normal
from tuning.study import Study
from tuning.study_size import require_jobs

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
    """Returns the study: one row per power of the likelihood.

    Raises:
        InputError: the study has too many cells.
    """
    n_cells = len(at.alphas) * (len(COLUMNS) + len(at.normal_stds))
    require_jobs(n_cells, "give fewer alphas or normal_stds")
    jobs = [
        Renormalisation(alpha=a, centres=at.centres, std=at.std, normal_stds=at.normal_stds)
        for a in at.alphas
    ]
    columns = COLUMNS | {
        f"Z of a normal likelihood, std {std:g}": (z_normal(std),) for std in at.normal_stds
    }
    cells = [
        Cell(row=_row(job.alpha), column=column, job=job, quantities=quantities)
        for job in jobs
        for column, quantities in columns.items()
    ]
    others = [_row(alpha) for alpha in at.alphas if alpha != 1]
    differs = between(
        [cell for cell in cells if cell.quantities == ("kl",)],
        "unless alpha is 1, scaling does not sample with the power of the likelihood",
        EXHIBIT.label, rows={_row(1): others}, lower=True, is_exact=True,
    )  # fmt: skip
    return EXHIBIT.study(scale, at, cells, claims=(differs, *_depends_on_the_deviation(at)))


def _row(alpha: float) -> str:
    return f"alpha = {alpha:g}"


def _depends_on_the_deviation(at: RenormalisationSettings) -> Iterator[Claim]:
    """Yields what Proposition 2 says of each alpha: Z falls (above 1) or rises with the std."""
    stds = [(f"Z of a normal likelihood, std {std:g}", z_normal(std)) for std in at.normal_stds]
    for is_above, verb in ((True, "falls"), (False, "rises")):
        rows = [_row(alpha) for alpha in at.alphas if alpha != 1 and (alpha > 1) == is_above]
        pairs = (
            Pair(Place(row, *later), Place(row, *earlier))
            for row in rows
            for earlier, later in itertools.pairwise(stds)
        )
        text = f"Z of a normal likelihood {verb} with its deviation if alpha is "
        yield Claim(
            text + ("above 1" if is_above else "below 1"), "Proposition 2", tuple(pairs),
            lower=is_above, is_exact=True,
        )  # fmt: skip

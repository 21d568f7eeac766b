"""Figure 1 of "Adversarial score matching and improved sampling": consistency of the noise level.

Question: with a perfect score, how much noise is left in x at each point of the sampling chain? The
noise of annealed Langevin sampling (ALS) stays above the noise schedule for any number of steps per
level; the noise of consistent annealed sampling (CAS) follows the schedule.

Source: https://arxiv.org/abs/2009.05475, Figure 1, Propositions 1 and 2. The results are exact at
both scales: `scorelib.exact.noise_level`. The settings are those of the authors' notebook: sigma 50
to .01; ALS on 232 levels with eta = .02; CAS on 23,201 levels with eta = .2. The figure shows no
numbers; the reported numbers in the table follow from the formulas of the notebook.

Command: ``python -m studies.run noise_consistency``
"""

from dataclasses import dataclass

from scorelib.samplers import Als, Cas
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.common.claims import between, falling
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from tuning.cells import Cell, Reported
from tuning.stages.noise import QUARTERS, NoiseLevel
from tuning.study import Study

_SOURCE = "the notebook of Figure 1"
EXHIBIT = Exhibit(
    name="noise_consistency",
    paper="acsm",
    label="Figure 1",
    title="Standard deviation of the noise in x, with a perfect score",
    question="With a perfect score, how much noise is left in x during sampling?",
    figures=("noise_levels",),
    notes=(f"reported numbers are computed by {_SOURCE}; the figure itself shows curves only",),
)
AUTHORS = {
    "ALS (n_sigma = 1)": (22.38, 7.189, 2.239, 0.694),
    "ALS (n_sigma = 2)": (12.77, 1.856, 0.242, 0.0303),
    "ALS (n_sigma = 5)": (7.572, 0.892, 0.105, 0.0124),
    "ALS (n_sigma = 20)": (6.342, 0.747, 0.0880, 0.0104),
    "CAS": (5.946, 0.7071, 0.0841, 0.0100),
}
"""Standard deviations by the authors' formulas after each quarter of the levels, by row."""


@dataclass(frozen=True, kw_only=True)
class NoiseSettings(StudySettings):
    """Settings of the figure.

    Attributes:
        schedule: noise schedule of ALS.
        als_eta: step of ALS as a share of the way to the denoised sample, in (0, 2).
        n_sigma: numbers of ALS steps per level, one row each, each >= 1.
        cas_levels: number of levels of CAS, between the ends of `schedule`, >= 2.
        cas_eta: step of CAS as a share of the way to the denoised sample, in (0, 2).
    """

    KIND = "NoiseSettings"

    schedule: GeometricSchedule = cifar_sampling_eps.EXHIBIT.schedule
    als_eta: float = 0.02
    n_sigma: tuple[int, ...] = (1, 2, 5, 20)
    cas_levels: int = 23_201
    cas_eta: float = 0.2


def paper() -> NoiseSettings:
    """Returns the settings of the authors' notebook."""
    return NoiseSettings()


demo = paper


def study(scale: str, at: NoiseSettings) -> Study:
    """Returns the study: one row per sampler, one column per quarter of the levels."""
    unit = at.schedule.sigma_L**2
    als = {n_sigma: f"ALS (n_sigma = {n_sigma})" for n_sigma in at.n_sigma}
    jobs = {
        als[n_sigma]: NoiseLevel(
            schedule=at.schedule, sampler=Als(epsilon=at.als_eta * unit, n_sigma=n_sigma)
        )
        for n_sigma in at.n_sigma
    }
    cas = Cas(epsilon=at.cas_eta * unit, n_sigma=1)
    jobs["CAS"] = NoiseLevel(schedule=at.schedule.replace(n_levels=at.cas_levels), sampler=cas)
    is_figure = at.replace(n_sigma=NoiseSettings().n_sigma).key == NoiseSettings().key
    known = AUTHORS if is_figure else {}
    cells = [
        Cell(
            row=row,
            column=f"after {quarter}",
            job=job,
            quantities=(quarter,),
            reported={quarter: Reported(known[row][i], _SOURCE)} if row in known else {},
        )
        for row, job in jobs.items()
        for i, quarter in enumerate(QUARTERS)
    ]
    most_first = [als[n_sigma] for n_sigma in sorted(als, reverse=True)]
    claims = (
        between(
            cells, "the noise of ALS stays above that of CAS", "Section 3.1, Propositions 1 and 2",
            rows={"CAS": most_first}, lower=True, is_exact=True,
        ),
        between(
            cells, "with more steps per level, ALS comes nearer to its schedule", EXHIBIT.label,
            rows=falling(most_first), lower=True, is_exact=True,
        ),
    )  # fmt: skip
    return EXHIBIT.study(scale, at, cells, claims=claims)

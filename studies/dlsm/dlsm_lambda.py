"""Table A4 of "Denoising likelihood score matching": the weight lambda of the cross entropy.

What is asked: how much does it matter how L_DLSM' and L_CE are weighed in L_Total?

Source: https://arxiv.org/abs/2203.14206, Table A4 (CIFAR-10). The text at hand has lost the
table's head: of the four reported columns the second is lambda = 1 (it equals Table 2's), and the
other three are shown without a lambda, beside nothing of ours. Lambda here is that of ``total``,
which is a mean over dimensions at either scale (times their number in the sum form of Eq. 11).

Methods, settings and what differs from the paper: `class_table`.

Command: ``python -m studies.run dlsm_lambda [--scale paper]``
"""

from dataclasses import dataclass

from scorelib.data import Cifar10
from scorelib.spec import fields_of
from studies.common.exhibit import Exhibit
from studies.dlsm import class_settings
from studies.dlsm.class_settings import ClassSettings, require_positive
from studies.dlsm.class_table import OVERALL, cell, class_study, metric_names
from tuning.study import Cell, Reported, Study

EXHIBIT = Exhibit(
    name="dlsm_lambda",
    paper="dlsm",
    label="Table A4",
    title="L_Total by the weight lambda of the cross entropy",
    question="How much does the weight of the cross entropy in L_Total matter?",
    figures=("noise_schedules", "losses"),
    notes=("of the paper's four columns only the second, lambda = 1, is known by its lambda",),
    where={"table": "A4"},
)
WITHOUT_LAMBDA = (1, 3, 4)
"""Columns of Table A4 whose lambda is lost."""


@dataclass(frozen=True, kw_only=True)
class LambdaSettings(ClassSettings):
    """Those of Table 2, and the lambdas.

    Attributes:
        lambdas: a column each, > 0.
    """

    KIND = "LambdaSettings"

    lambdas: tuple[float, ...]

    def validate(self) -> None:
        """Refuses weights that are none, and columns twice."""
        super().validate()
        require_positive(self.lambdas, "lambdas")


def demo() -> LambdaSettings:
    """Digits."""
    return LambdaSettings(**fields_of(class_settings.demo()), lambdas=(0.01, 0.1, 1.0))


def paper() -> LambdaSettings:
    """Lambda = 1, and three of our own around it."""
    at = class_settings.paper(Cifar10())
    return LambdaSettings(**fields_of(at), lambdas=(0.1, 1.0, 10.0, 100.0))


def study(scale: str, at: LambdaSettings) -> Study:
    """The study with given settings: a row per metric, a column per lambda."""
    cells: list[Cell] = []
    for metric, row in metric_names(OVERALL).items():
        for weight in at.lambdas:
            known = _reported(metric, 2) if weight == 1 else None
            sample = at.guided(at.total.replace(lambda_=weight))
            labels = (row, f"lambda = {weight:g}")
            cells.append(cell(at, metric, sample, labels, known))
        for column in WITHOUT_LAMBDA:
            known = _reported(metric, column)
            cells.append(
                Cell(
                    row=row, column=known.source, protocol=at.protocol(metric),
                    quantities=("denoised",), reported={"denoised": known},
                )
            )  # fmt: skip
    return class_study(EXHIBIT, scale, at, cells)


def _reported(metric: str, column: int) -> Reported:
    source = f"Table A4, column {column}"
    return EXHIBIT.reported(source, metric=metric, column=f"lambda column {column} of 4")

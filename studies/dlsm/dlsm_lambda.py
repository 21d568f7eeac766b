"""Table A4 of "Denoising likelihood score matching": the weight lambda of the cross entropy.

Question: how much does the weight of L_CE relative to L_DLSM' in L_Total matter?

Source: https://arxiv.org/abs/2203.14206, Table A4 (CIFAR-10). The head of the table is missing from
the text available to us. Of the four reported columns, the second is lambda = 1, since it equals
the column of Table 2. The lambdas of the other three columns are unknown: these columns are shown
without a lambda and have no counterpart of ours. Lambda here is the field of ``total``, where the
loss is a mean over dimensions at both scales; in the sum form of Eq. 11, lambda is larger by the
number of dimensions.

For the methods, the settings and the differences from the paper see `class_table`.

Command: ``python -m studies.run dlsm_lambda [--scale paper]``
"""

from dataclasses import dataclass

from scorelib.data import Cifar10
from scorelib.spec import fields_of
from studies.common.exhibit import Exhibit
from studies.dlsm import class_settings
from studies.dlsm.class_settings import ClassSettings, require_positive
from studies.dlsm.class_table import OVERALL, cell, class_study, metric_names
from tuning.cells import Cell, Reported
from tuning.study import Study

EXHIBIT = Exhibit(
    name="dlsm_lambda",
    paper="dlsm",
    label="Table A4",
    title="L_Total by the weight lambda of the cross entropy",
    question="How much does the weight of the cross entropy in L_Total matter?",
    figures=("noise_schedules", "losses"),
    notes=("of the paper's four columns, lambda is known for the second only: lambda = 1",),
    where={"table": "A4"},
)
WITHOUT_LAMBDA = (1, 3, 4)
"""Columns of Table A4 with an unknown lambda, counted from 1."""


@dataclass(frozen=True, kw_only=True)
class LambdaSettings(ClassSettings):
    """Settings of Table 2 and the weights lambda.

    Attributes:
        lambdas: weights of the cross entropy, > 0, different; one column each.
    """

    KIND = "LambdaSettings"

    lambdas: tuple[float, ...]

    def validate(self) -> None:
        """Raises InputError unless the lambdas are positive and different."""
        super().validate()
        require_positive(self.lambdas, "lambdas")


def demo() -> LambdaSettings:
    """Returns settings for digits."""
    return LambdaSettings(**fields_of(class_settings.demo()), lambdas=(0.01, 0.1, 1.0))


def paper() -> LambdaSettings:
    """Returns settings for CIFAR-10: lambda = 1 and three further values of lambda."""
    at = class_settings.paper(Cifar10())
    return LambdaSettings(**fields_of(at), lambdas=(0.1, 1.0, 10.0, 100.0))


def study(scale: str, at: LambdaSettings) -> Study:
    """Returns the study: one row per metric, one column per lambda."""
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

"""Table A5 of "Denoising likelihood score matching" (DLSM): scaled gradients of the classifier.

A classifier guides the sampling of images of one class: the gradient of its log probability of the
class, the likelihood score, is multiplied by a factor alpha and added to the score of all images.

Question: which metrics improve and which get worse as alpha grows? And does a factor above 1 still
help if the classifier is trained by DLSM?

Source: https://arxiv.org/abs/2203.14206, Table A5 (CIFAR-10): alpha in {.5, 1, 3, 5, 10, 20}, for a
classifier trained by cross entropy ("base") and for one trained by L_Total, the loss of DLSM
("ours"). For the methods, the settings and the differences from the paper see `class_table`.

Command: ``python -m studies.run dlsm_scaling [--scale paper]``
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scorelib.data import Cifar10
from scorelib.losses import CrossEntropy
from scorelib.spec import fields_of
from studies.common.claims import between, falling
from studies.common.exhibit import Exhibit
from studies.dlsm import class_settings
from studies.dlsm.class_settings import ClassSettings, require_positive
from studies.dlsm.class_table import BY_CLASS, OVERALL, cell, class_study, metric_names
from tuning.cells import Cell, Reported
from tuning.claims import Claim
from tuning.study import Study

EXHIBIT = Exhibit(
    name="dlsm_scaling",
    paper="dlsm",
    label="Table A5",
    title="Scaled likelihood scores, by cross entropy and by L_Total",
    question="Which metrics improve, and which get worse, if the likelihood score is scaled?",
    figures=("noise_schedules", "losses"),
    where={"table": "A5"},
)
REPORTED_ALPHAS = (0.5, 1.0, 3.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True, kw_only=True)
class ScalingSettings(ClassSettings):
    """Settings of Table 2 and the factors alpha.

    Attributes:
        alphas: factors of the likelihood score, > 0, different; the table has one row for each
            pair of a factor and an objective of the classifier.
    """

    KIND = "ScalingSettings"

    alphas: tuple[float, ...] = REPORTED_ALPHAS

    def validate(self) -> None:
        """Raises InputError unless the alphas are positive and different."""
        super().validate()
        require_positive(self.alphas, "alphas")


def demo() -> ScalingSettings:
    """Returns settings for digits."""
    return ScalingSettings(**fields_of(class_settings.demo()))


def paper() -> ScalingSettings:
    """Returns the settings of the authors' code for CIFAR-10."""
    return ScalingSettings(**fields_of(class_settings.paper(Cifar10())))


def study(scale: str, at: ScalingSettings) -> Study:
    """Returns the study: one row per objective and alpha, one column per metric."""
    objectives = {"base": CrossEntropy(), "ours": at.total}
    cells: list[Cell] = []
    for name, objective in objectives.items():
        for alpha in at.alphas:
            for metric, column in metric_names(OVERALL + BY_CLASS).items():
                labels = (_row(name, alpha), column)
                sample = at.guided(objective, alpha)
                cells.append(cell(at, metric, sample, labels, _reported(name, alpha, metric)))
    return class_study(EXHIBIT, scale, at, cells, claims=_claims(cells, at))


def _row(name: str, alpha: float) -> str:
    return f"{name}, alpha = {alpha:g}"


def _claims(cells: Sequence[Cell], at: ScalingSettings) -> tuple[Claim, ...]:
    """Returns the claims of Appendix A.7.3 about both methods, and of Table A5 about the two."""
    columns, alphas = metric_names(OVERALL), sorted(at.alphas)
    down = {n: [_row(n, alpha) for alpha in alphas] for n in ("base", "ours")}
    up = {name: rows[::-1] for name, rows in down.items()}

    def claim(text: str, metrics: Sequence[str], by_method: dict[str, list[str]]) -> Claim:
        about = [cell for cell in cells if cell.column in {columns[metric] for metric in metrics}]
        rows = {better: worse for of in by_method.values() for better, worse in falling(of).items()}
        return between(about, text, EXHIBIT.label, rows=rows)

    pairs = {_row("ours", alpha): [_row("base", alpha)] for alpha in alphas}
    distances = [cell for cell in cells if cell.column == columns["fid"]]
    return (
        claim("precision and density rise with alpha", ["precision", "density"], up),
        claim("recall and coverage fall as alpha grows", ["recall", "coverage"], down),
        claim("the distance rises with alpha", ["fid"], down),
        between(distances, "DLSM lowers the distance at equal alpha", EXHIBIT.label, rows=pairs),
    )


def _reported(name: str, alpha: float, metric: str) -> Reported | None:
    if alpha not in REPORTED_ALPHAS:
        return None
    row = {"base": "base", "ours": "dlsm"}[name]
    return EXHIBIT.reported(row=row, column=f"alpha={alpha:.1f}", metric=metric)

"""Tables A4 and A5 of "Denoising likelihood score matching" at once: a front over lambda and alpha.

What is asked: which pairs of lambda, the weight of the cross entropy in L_Total, and alpha, the
factor of the likelihood score in sampling, give the best images for how well the classes are
covered? The paper varies one at a time, and shows that the two measures pull apart: a larger alpha
makes images surer of their class, at a larger distance.

Source: https://arxiv.org/abs/2203.14206, Tables A4 and A5, which report single points. Here both
are searched together, by two numbers: the Frechet distance and class-wise coverage. The result is
their front: the pairs that no other beats in both. Of the front's end of least distance, and of the
paper's own choice (lambda = 1, alpha = 1), both numbers are measured on fresh seeds.

Methods, settings and what differs from the paper: `class_table`. Classifiers, one for each
lambda, and images that Tables 2, A4 or A5 have made are used again at paper scale.

Command: ``python -m studies.run dlsm_front [--scale paper]``
"""

from dataclasses import dataclass

from scorelib.data import Cifar10
from scorelib.errors import require_input
from scorelib.spec import fields_of
from studies.common.exhibit import Exhibit
from studies.dlsm import class_settings
from studies.dlsm.class_settings import ClassSettings
from studies.dlsm.class_table import cell, class_study, metric_names
from tuning.spaces import LogUniform, MultiObjectiveSpace
from tuning.stages import Score
from tuning.study import Cell, Search, Study

EXHIBIT = Exhibit(
    name="dlsm_front",
    paper="dlsm",
    label="Tables A4 and A5",
    title="lambda and alpha together: the front of distance and class-wise coverage",
    question="Which lambda and alpha give good images that cover their classes?",
    figures=("pareto_fronts", "searches", "noise_schedules", "losses"),
    where={"table": "2", "dataset": "cifar10"},
)
METRICS = ("fid", "cw_coverage")
PAPERS_CHOICE = {"lambda": 1.0, "alpha": 1.0}


@dataclass(frozen=True, kw_only=True)
class FrontSettings(ClassSettings):
    """Those of Table 2, and the search.

    Attributes:
        lambdas: lowest and highest lambda, > 0.
        alphas: lowest and highest alpha, > 0.
        n_trials: pairs tried, >= 1; the paper's choice is the first.
        round_size: tried at a time.
        search_images: images per trial.
    """

    KIND = "FrontSettings"

    lambdas: tuple[float, float] = (0.01, 100.0)
    alphas: tuple[float, float] = (0.5, 20.0)
    n_trials: int
    round_size: int = 4
    search_images: int

    def validate(self) -> None:
        """Refuses a search of nothing, or one without the paper's choice in its range."""
        super().validate()
        require_input(self.n_trials >= 1, f"n_trials must be at least 1; got {self.n_trials}")
        for name in ("lambdas", "alphas"):
            low, high = getattr(self, name)
            require_input(
                0 < low < high and low <= 1 <= high,
                f"{name} must be a range above 0 that holds 1, the paper's choice; got "
                f"[{low:g}, {high:g}]",
            )


def demo() -> FrontSettings:
    """Digits; lambda below 1, where at this scale the cross entropy does not rule.

    Each lambda is a training: they are shorter than Table 2's, so that the search takes minutes.
    """
    at = class_settings.demo().replace(classifier_iterations=300)
    return FrontSettings(**fields_of(at), lambdas=(0.001, 1.0), n_trials=12, search_images=500)


def paper() -> FrontSettings:
    """CIFAR-10."""
    at = class_settings.paper(Cifar10())
    return FrontSettings(**fields_of(at), n_trials=40, search_images=10_000)


def study(scale: str, at: FrontSettings) -> Study:
    """The study with given settings: a row for each choice, a column for each number."""
    search = _search(at)
    cells: list[Cell] = []
    for metric, column in metric_names(METRICS).items():
        protocol = at.protocol(metric)
        cells.append(
            Cell(
                row="least distance on the front", column=column, search=search,
                protocol=protocol, n_seeds=at.seeds, quantities=("denoised",),
            )
        )  # fmt: skip
        known = EXHIBIT.reported("Table 2", row="dlsm", metric=metric)
        labels = ("lambda = 1, alpha = 1", column)
        cells.append(cell(at, metric, at.guided(at.total), labels, known))
    return class_study(EXHIBIT, scale, at, sorted(cells, key=lambda c: c.search is None), (search,))


def _search(at: FrontSettings) -> Search:
    distance, coverage = (
        at.protocol(metric).replace(n_images=at.search_images, seeds="search") for metric in METRICS
    )
    weight = LogUniform(
        name="lambda", path="sample.classifier.train.objective.lambda_",
        low=at.lambdas[0], high=at.lambdas[1],
    )  # fmt: skip
    factor = LogUniform(name="alpha", path="sample.scale", low=at.alphas[0], high=at.alphas[1])
    return Search(
        name="lambda and alpha",
        space=MultiObjectiveSpace(
            template=Score(sample=at.guided(at.total), protocol=distance),
            parameters=(weight, factor), other_protocols=(coverage,), round_size=at.round_size,
        ),
        n_trials=at.n_trials,
        starts=(PAPERS_CHOICE,),
        starts_from="the paper's choice",
    )  # fmt: skip
